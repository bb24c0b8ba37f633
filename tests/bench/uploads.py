"""The scenario of 500 users who upload, through a deployed stack: what it reaches, what it takes.

Usage: python -m tests.bench.uploads [--users 500] [--workers 4] [--seconds 180] [--json]

Needs Docker. The stack has a copy of the checkout, a project and an address of its own, and is gone
afterwards. All of it is on this machine, also the target, so that the network is the kernel's own.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import requests

from tests.bench import table
from tests.bench.machine import cpu_s, program
from tests.support.engine import docker
from tests.support.stack import Stack

ADDRESS = "127.0.0.98"
FILE_BYTES = 17_500_000
# In it everybody has uploaded once, and begins again.
SETTLE_S = 35.0
PARTS = ("locust-worker", "locust-master", "demo-target")


def main(arguments: argparse.Namespace) -> None:
    """Deploy, upload, and take it away."""
    program("docker")
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder, "stack"), f"fleet-uploads-{os.getpid()}", ADDRESS)
        stack.set_env(LOCUST_WORKERS=str(arguments.workers), LOCUSTFILE="upload_test.py")
        try:
            done = stack.deploy()
            assert done.returncode == 0, done.stderr
            found = measure(stack, arguments.users, arguments.workers, arguments.seconds)
        finally:
            stack.remove()
    title = f"{arguments.users} users with 17.5 MB every 30 s, {arguments.workers} workers"
    table.show(arguments, table.Table(title, ("", "measured"), tuple(found.items())))


def measure(stack: Stack, users: int, workers: int, seconds: float) -> dict[str, table.Cell]:
    """Return what so many users reach and take within some seconds."""
    session = stack.token("operator")
    stack.wait_for_workers(session, workers)
    run_id = stack.start(session, users=users, spawn_rate=50)
    stack.wait_for_users(session, users, 60)
    time.sleep(SETTLE_S)
    before, began, spent = totals(stack, session, run_id), time.monotonic(), cpu(stack)
    time.sleep(seconds)
    after, took_s = totals(stack, session, run_id), time.monotonic() - began
    busy = {who: 100 * (now - spent[who]) / took_s for who, now in cpu(stack).items()}
    reached = stack.run(session)["users"]
    peak_mb = max(peak_bytes(one) for one in stack.containers("locust-worker")) / 1e6
    stack.stop(session, run_id)
    made = {name: after[name]["requests"] - before[name]["requests"] for name in after}
    upload = after["/upload"]
    return {
        "users reached": reached,
        "requests/s": sum(made.values()) / took_s,
        "MB/s": made["/upload"] * FILE_BYTES / 1e6 / took_s,
        "failures, %": 100
        * sum(each["failures"] for each in after.values())
        / sum(each["requests"] for each in after.values()),
        "average of uploads, ms": upload["average_ms"],
        "p95 of uploads, ms": upload["p95_ms"],
        "busiest worker, % of a core": max(
            share for who, share in busy.items() if who.startswith("locust-worker")
        ),
        "master, % of a core": busy["locust-master 1"],
        "demo target, % of a core": busy["demo-target 1"],
        "peak memory of a worker's processes, MB": peak_mb,
    }


def totals(stack: Stack, session: requests.Session, run_id: str) -> dict[str, Any]:
    """Return what is in Postgres of a run, for each name."""
    run = session.get(f"{stack.url}/api/v1/runs/{run_id}", timeout=30).json()
    return {each["name"]: each for each in run["totals"] if each["method"]}


def cpu(stack: Stack) -> dict[str, float]:
    """Return the CPU seconds that each container took so far."""
    return {
        f"{part} {number}": sum(map(cpu_s, processes(container)))
        for part in PARTS
        for number, container in enumerate(stack.containers(part), start=1)
    }


def processes(container: str) -> list[int]:
    """Return the processes of a container, by the numbers that they have on this host."""
    return [int(line) for line in docker("top", container, "-o", "pid").split()[1:]]


def peak_bytes(container: str) -> int:
    """Return the most memory that the processes of a container had, the file not counted."""
    lines = (
        line
        for pid in processes(container)
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    options = table.parser(__doc__)
    options.add_argument("--users", type=int, default=500)
    options.add_argument("--workers", type=int, default=4)
    options.add_argument("--seconds", type=float, default=180)
    main(options.parse_args())
