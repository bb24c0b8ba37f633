"""How exactly arrivals come at a target: their number, and the busiest tenth of a second.

Usage: python -m tests.bench.arrivals [--rate 2000] [--workers 4] [--seconds 30] [--runs 5] [--json]

A fleet of a master and workers asks a target that knows, by the clock of the kernel, when each
request arrived. Users speak as little HTTP as possible: it is the arrivals that are measured
and no client.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from locust_fleet.settings.stores import PostgresSettings
from tests.bench import table
from tests.integration.users.target import Target, target
from tests.support.fleet import ADDRESS, Fleet
from tests.support.shop import Shop
from tests.support.waiting import wait_until

USERS_PER_WORKER = 25
WINDOW_S = 0.1
SETTLE_S = 3.0
LEAN = """
from locust import User, task
import socket
import time
from urllib.parse import urlsplit
from locust_fleet.users import ArrivalRate

REQUEST = b"GET / HTTP/1.1\\r\\nHost: target\\r\\n\\r\\n"

class Lean(User):
    arrivals = ArrivalRate({rate})

    def on_start(self):
        url = urlsplit(self.host)
        self.socket = socket.create_connection((url.hostname, url.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @task
    def get(self):
        began = time.perf_counter()
        self.socket.sendall(REQUEST)
        answer = self.socket.recv(4096)
        self.environment.events.request.fire(
            request_type="GET", name="/", response_length=len(answer), exception=None, context={{}},
            response_time=1000 * (time.perf_counter() - began))

    def on_stop(self):
        self.socket.close()
"""


@dataclass(frozen=True)
class Seen:
    """What the target saw: arrivals per second, and those in the busiest windows."""

    rate: float
    busiest: float
    # The share of the windows, in percent, that had over 5 % more than asked for.
    over_percent: float


def main(arguments: argparse.Namespace) -> None:
    """Run a fleet so many times, and print what the target saw."""
    rate, names = arguments.rate, [f"w{number}" for number in range(arguments.workers)]
    with tempfile.TemporaryDirectory() as folder, target(ADDRESS, Path(folder, "log")) as shop:
        nowhere = PostgresSettings(ADDRESS, 1, "none", "none", "none")
        demo = Shop(ADDRESS, Path(folder, "target.log"))
        fleet = Fleet(Path(folder), nowhere, demo, LEAN.format(rate=rate))
        try:
            fleet.start_master()
            for name in names:
                fleet.start_worker(name)
            fleet.wait_for_workers(len(names))
            found = [
                measure(fleet, shop, rate, len(names), arguments.seconds)
                for _ in range(arguments.runs)
            ]
        finally:
            for name in ["master", *names]:
                fleet.end(name)
    table.show(arguments, accuracy_of(rate, len(names), found))


def accuracy_of(rate: int, workers: int, found: list[Seen]) -> table.Table:
    """Return how far arrivals were from what was asked for."""
    return table.Table(
        f"Arrivals of the open model at the target, {rate:,} per second over {workers} workers",
        ("", "of all runs"),
        (
            ("arrivals per second", table.Spread.of(one.rate for one in found)),
            ("off by, %", table.Spread.of(100 * (one.rate / rate - 1) for one in found)),
            (
                "busiest 100 ms, % above",
                table.Spread.of(100 * (one.busiest / WINDOW_S / rate - 1) for one in found),
            ),
            ("100 ms over +5 %, % of all", table.Spread.of(one.over_percent for one in found)),
        ),
    )


def measure(fleet: Fleet, shop: Target, rate: int, workers: int, seconds: float) -> Seen:
    fleet.swarm(workers * USERS_PER_WORKER, host=shop.url)
    shop.look()
    shop.times.clear()
    shop.wait_for(round(rate * SETTLE_S))
    time.sleep(seconds)
    shop.look()
    fleet.stop()
    wait_until(lambda: fleet.state()["state"] in ("stopped", "ready"), "the end of the run")
    times = sorted(shop.times)
    began = times[0] + SETTLE_S
    return seen([at for at in times if began <= at < began + seconds], seconds, rate)


def seen(times: list[float], seconds: float, rate: int) -> Seen:
    """Return what windows of a tenth of a second hold, each of which begins with an arrival."""
    counts, end = [], 0
    for first, at in enumerate(times):
        while end < len(times) and times[end] < at + WINDOW_S:
            end += 1
        counts.append(end - first)
    over = sum(count > 1.05 * rate * WINDOW_S for count in counts)
    return Seen(len(times) / seconds, max(counts), 100 * over / len(counts))


if __name__ == "__main__":
    options = table.parser(__doc__)
    options.add_argument("--rate", type=int, default=2000)
    options.add_argument("--workers", type=int, default=4)
    options.add_argument("--seconds", type=float, default=30)
    options.add_argument("--runs", type=int, default=5)
    main(options.parse_args())
