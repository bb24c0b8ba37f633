"""Tell the master how many users this worker can bear beside others."""

from __future__ import annotations

from locust.runners import WorkerRunner

import os
from pathlib import Path
from typing import Any

from locust_fleet.protocol.messages import CAPACITY
from locust_fleet.settings.worker import CapacitySettings

CGROUPS = Path("/sys/fs/cgroup")


class Capacity:
    """Says it at once, and with each report: the master may be another one by then."""

    def __init__(self, settings: CapacitySettings) -> None:
        self._capacity = {
            "weight": settings.weight or usable_cpus(),
            "max_users": settings.max_users,
        }

    def announce(self, runner: WorkerRunner) -> None:
        """Send it in a message of its own."""
        runner.send_message(CAPACITY, self._capacity)

    def report(self, data: dict[str, Any]) -> None:
        """Add it to a report."""
        data[CAPACITY] = self._capacity


def usable_cpus(cgroups: Path = CGROUPS) -> float:
    """Return the cores that this process may use: those it may run on, or its container's part."""
    cores = float(len(os.sched_getaffinity(0)))
    try:
        quota, period = (cgroups / "cpu.max").read_text(encoding="utf-8").split()
        return min(cores, int(quota) / int(period))
    except (OSError, ValueError):
        # Without a quota ("max"), or without cgroups of version 2.
        return cores
