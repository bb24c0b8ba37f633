"""Tell the master how many users this worker can bear beside others."""

from __future__ import annotations

from locust.env import Environment
from locust.runners import WorkerRunner

import os
from pathlib import Path
from typing import Any

from locust_fleet.protocol.messages import CAPACITY
from locust_fleet.settings.worker import CapacitySettings

CGROUPS = Path("/sys/fs/cgroup")


def announce(runner: WorkerRunner, environment: Environment, settings: CapacitySettings) -> None:
    """Say it now, and with each report from now on: the master may be another one by then."""
    capacity = {"weight": settings.weight or usable_cpus(), "max_users": settings.max_users}

    def report_to_master(data: dict[str, Any], **_: Any) -> None:
        data[CAPACITY] = capacity

    environment.events.report_to_master.add_listener(report_to_master)
    runner.send_message(CAPACITY, capacity)


def usable_cpus(cgroups: Path = CGROUPS) -> float:
    """Return the cores that this process may use: those it may run on, or its container's part."""
    cores = float(len(os.sched_getaffinity(0)))
    try:
        quota, period = (cgroups / "cpu.max").read_text(encoding="utf-8").split()
        return min(cores, int(quota) / int(period))
    except (OSError, ValueError):
        # Without a quota ("max"), or without cgroups of version 2.
        return cores
