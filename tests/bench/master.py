"""How busy the master is with many workers, which are simulated and speak the real protocol.

Usage: python -m tests.bench.master [--workers 4 50 500] [--names 10 300] [--windows 3] [--json]

Ours has a real Redis and Postgres; beside it, bare Locust's with workers of its own kind. The
master has a core of its own, and each worker reports 200 requests a second.
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
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from locust_fleet.settings.stores import PostgresSettings, RedisSettings
from tests.bench import table
from tests.bench.machine import cpu_s, on_core
from tests.bench.overhead import LOCUST, ask, process, workers_of
from tests.bench.stores import postgres_server, redis_server
from tests.support.checkout import ROOT
from tests.support.fleet import FRONT_SECRET, Fleet
from tests.support.ports import free_port
from tests.support.redis import redis_environment
from tests.support.shop import Shop
from tests.support.waiting import wait_until

ADDRESS = "127.0.0.95"
USERS_PER_WORKER = 10
SETTLE_S = 8.0
# Of a master that keeps up; one that does not may need minutes.
ANSWER_S = 10.0
# Percent of a core, from which on it can be said that there was no more of it to have.
FULL = 90.0
LOCUSTFILE = """
from locust import User, task

class Nobody(User):
    @task
    def nothing(self):
        pass
"""


@dataclass(frozen=True)
class Master:
    """What is measured, and how it is asked."""

    pid: int
    # Where workers find it.
    host: str
    port: str
    workers: Callable[[], int]
    swarm: Callable[[int], object]
    requests: Callable[[], int]


@contextmanager
def bare() -> Iterator[Master]:
    """Yield a master of bare Locust."""
    port, web = str(free_port(ADDRESS)), str(free_port(ADDRESS))
    url = f"http://{ADDRESS}:{web}"
    at = ("--master-bind-host", ADDRESS, "--master-bind-port", port)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "nobody.py")
        file.write_text(LOCUSTFILE)
        words = ("--web-host", ADDRESS, "--web-port", web, "--locustfile", str(file))
        with ExitStack() as stack:
            with on_core(0):
                pid = stack.enter_context(process((*LOCUST, "--master", *at, *words)))
            yield Master(
                pid,
                ADDRESS,
                port,
                lambda: workers_of(url),
                lambda users: ask(f"{url}/swarm", {"user_count": users, "spawn_rate": users}),
                lambda: int(_json(f"{url}/stats/requests")["stats"][-1]["num_requests"]),
            )


@contextmanager
def ours(leases: RedisSettings, results: PostgresSettings) -> Iterator[Master]:
    """Yield a master of the fleet, which begins without a run."""
    client = redis.Redis(host=leases.host, port=leases.port, password=leases.password)
    # Else it would go on with the run before.
    client.flushall()
    with tempfile.TemporaryDirectory() as folder:
        shop = Shop(ADDRESS, Path(folder, "target.log"))
        fleet = Fleet(Path(folder), results, shop, LOCUSTFILE, redis_environment(leases))
        try:
            with on_core(0):
                fleet.start_master("master")
            host, port = fleet.lease_address.split(":")
            yield Master(
                fleet.pid("master"),
                host,
                port,
                lambda: int(fleet.state()["workers"]),
                fleet.swarm,
                lambda: int(_json(f"{fleet.web}/fleet/run")["totals"]["requests"]),
            )
        finally:
            # Its last words are not the result.
            with contextlib.redirect_stdout(sys.stderr):
                fleet.end_all()


def measure(
    master: Master, workers: int, names: int, windows: int, seconds: float
) -> tuple[table.Cell, table.Cell]:
    """Return percents of a core, and the requests per second that the master has counted."""
    wait_until(lambda: master.workers() == workers, "all workers ready", 60)
    master.swarm(workers * USERS_PER_WORKER)
    time.sleep(SETTLE_S)
    before, began, busy = counted(master), time.monotonic(), []
    for _ in range(windows):
        used = cpu_s(master.pid)
        time.sleep(seconds)
        busy.append(100 * (cpu_s(master.pid) - used) / seconds)
        print(f"{workers} workers, {names} names: {busy[-1]:.1f} %", file=sys.stderr)
    after, took = counted(master), time.monotonic() - began
    spread = table.Spread.of(busy)
    if before is None or after is None:
        starved = "does not answer; other work had its core"
        return spread, "does not keep up" if spread.median > FULL else starved
    return spread, (after - before) / took


def counted(master: Master) -> int | None:
    """Return the requests that the master has counted; None if it has no time to say so."""
    try:
        return master.requests()
    except OSError:
        return None


def _json(url: str) -> Any:
    headers = {"X-Fleet-Front": FRONT_SECRET, "X-Fleet-User": "bench"}
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:
        return json.load(answer)


@contextmanager
def simulated(master: Master, workers: int, names: int, *, stock: bool) -> Iterator[None]:
    places = (master.host, master.port, str(workers), str(names))
    arguments = [*places, *(["--stock"] if stock else [])]
    command = [sys.executable, "-m", "tests.bench.simulated", *arguments]
    with on_core(-1):
        running = subprocess.Popen(command, cwd=ROOT)
    try:
        yield
    finally:
        running.kill()
        running.wait()


def row(
    stores: tuple[RedisSettings, PostgresSettings],
    workers: int,
    names: int,
    windows: int,
    seconds: float,
) -> tuple[table.Cell, ...]:
    """Return a line of the table."""
    cells: list[table.Cell] = [f"{workers} workers, {names} names"]
    for stock in (True, False):
        with (
            bare() if stock else ours(*stores) as master,
            simulated(master, workers, names, stock=stock),
        ):
            cells += measure(master, workers, names, windows, seconds)
    return tuple(cells)


def main(arguments: argparse.Namespace) -> None:
    """Measure and print."""
    with redis_server(ADDRESS) as leases, postgres_server(ADDRESS) as results:
        rows = tuple(
            row((leases, results), workers, names, arguments.windows, arguments.seconds)
            for workers in arguments.workers
            for names in arguments.names
        )
    title = "CPU of the master with simulated workers that each report 200 requests a second"
    kinds = ("bare Locust", "ours")
    columns = [(f"{kind}, % of a core", f"{kind}, requests/s counted") for kind in kinds]
    table.show(arguments, table.Table(title, ("", *columns[0], *columns[1]), rows))


if __name__ == "__main__":
    options = table.parser(__doc__)
    options.add_argument("--workers", type=int, nargs="+", default=[4, 50, 500])
    options.add_argument("--names", type=int, nargs="+", default=[10, 300])
    options.add_argument("--windows", type=int, default=3)
    options.add_argument("--seconds", type=float, default=6)
    main(options.parse_args())
