"""How busy the master is with many workers, which are simulated and speak the real protocol.

Usage: python -m tests.bench.master [--workers 4 50 500] [--names 10 300] [--windows 3] [--json]

The master is ours, with a real Redis and Postgres, on a core of its own; each worker reports 200
requests a second. A master that is 100 percent busy cannot keep up.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from locust_fleet.settings.stores import PostgresSettings, RedisSettings
from tests.bench import table
from tests.bench.machine import cpu_s, on_core
from tests.bench.stores import postgres_server, redis_server
from tests.integration.conftest import ROOT, redis_environment, wait_until
from tests.integration.fleet import FRONT_SECRET, Fleet

ADDRESS = "127.0.0.95"
USERS_PER_WORKER = 10
SETTLE_S = 8.0
# Of a master that keeps up; one that does not may need minutes.
ANSWER_S = 10.0
LOCUSTFILE = """
from locust import User, task

class Nobody(User):
    @task
    def nothing(self):
        pass
"""


def measure(
    stores: tuple[RedisSettings, PostgresSettings],
    workers: int,
    names: int,
    windows: int,
    seconds: float,
) -> tuple[table.Cell, ...]:
    """Return a line of the table."""
    client = redis.Redis(host=stores[0].host, port=stores[0].port, password=stores[0].password)
    # Else the master would go on with the run before.
    client.flushall()
    with tempfile.TemporaryDirectory() as folder:
        fleet = Fleet(Path(folder), stores[1], LOCUSTFILE, redis_environment(stores[0]))
        try:
            with on_core(0):
                fleet.start_master("master")
            with on_core(-1), simulated(fleet.lease_address, workers, names):
                wait_until(lambda: fleet.state()["workers"] == workers, "all workers ready", 60)
                fleet.swarm(workers * USERS_PER_WORKER)
                time.sleep(SETTLE_S)
                pid, before = fleet.pid("master"), counted(fleet)
                began, busy = time.monotonic(), []
                for _ in range(windows):
                    used = cpu_s(pid)
                    time.sleep(seconds)
                    busy.append(100 * (cpu_s(pid) - used) / seconds)
                    print(f"{workers} workers, {names} names: {busy[-1]:.1f} %", file=sys.stderr)
                after, took = counted(fleet), time.monotonic() - began
        finally:
            # Its last words are not the result.
            with contextlib.redirect_stdout(sys.stderr):
                fleet.end_all()
    rate: table.Cell = "does not answer"
    if before is not None and after is not None:
        rate = (after - before) / took
    return (f"{workers} workers, {names} names", table.Spread.of(busy), rate)


def counted(fleet: Fleet) -> int | None:
    """Return the requests that the master has counted; None if it has no time to say so."""
    headers = {"X-Fleet-Front": FRONT_SECRET, "X-Fleet-User": "bench"}
    request = urllib.request.Request(f"{fleet.web}/fleet/run", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:
            return int(json.load(answer)["totals"]["requests"])
    except OSError:
        return None


@contextmanager
def simulated(address: str, workers: int, names: int) -> Iterator[None]:
    host, port = address.split(":")
    arguments = (host, port, str(workers), str(names))
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.simulated", *arguments], cwd=ROOT
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def main(arguments: argparse.Namespace) -> None:
    """Measure and print."""
    with redis_server(ADDRESS) as leases, postgres_server(ADDRESS) as results:
        rows = tuple(
            measure((leases, results), workers, names, arguments.windows, arguments.seconds)
            for workers in arguments.workers
            for names in arguments.names
        )
    title = "CPU of the master with simulated workers that each report 200 requests a second"
    columns = ("", "percent of a core", "requests counted per second")
    table.show(arguments, table.Table(title, columns, rows))


if __name__ == "__main__":
    options = table.parser(__doc__)
    options.add_argument("--workers", type=int, nargs="+", default=[4, 50, 500])
    options.add_argument("--names", type=int, nargs="+", default=[10, 300])
    options.add_argument("--windows", type=int, default=3)
    options.add_argument("--seconds", type=float, default=9)
    main(options.parse_args())
