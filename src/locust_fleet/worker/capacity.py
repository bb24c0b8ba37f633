"""Tell the master this worker's weight and its limit of users."""

from __future__ import annotations

from locust.runners import WorkerRunner

import os
from pathlib import Path
from typing import Any

from locust_fleet.protocol.messages import CAPACITY
from locust_fleet.settings.worker import CapacitySettings

CGROUPS = Path("/sys/fs/cgroup")


class Capacity:
    """Announces the capacity at once, and with each report, because the leader may change."""

    def __init__(self, settings: CapacitySettings) -> None:
        self._capacity = {
            "weight": settings.weight or usable_cpus(),
            "max_users": settings.max_users,
        }

    def announce(self, runner: WorkerRunner) -> None:
        """Send the capacity in a message of its own."""
        runner.send_message(CAPACITY, self._capacity)

    def report(self, data: dict[str, Any]) -> None:
        """Add the capacity to a report."""
        data[CAPACITY] = self._capacity


def usable_cpus(cgroups: Path = CGROUPS) -> float:
    """Return the cores that this process may use: its CPU affinity, or its cgroup's lower quota."""
    cores = float(len(os.sched_getaffinity(0)))
    try:
        quota, period = (cgroups / "cpu.max").read_text(encoding="utf-8").split()
        return min(cores, int(quota) / int(period))
    except (OSError, ValueError):
        # There is no quota ("max"), or no cgroup of version 2.
        return cores
