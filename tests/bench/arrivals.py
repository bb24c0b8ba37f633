"""How exactly arrivals come at a target: their number, and the busiest tenth of a second.

Usage: python -m tests.bench.arrivals [RATE [WORKERS [SECONDS [RUNS]]]]

A fleet of a master and workers asks a target that knows, by the clock of the kernel, when each
request arrived. Users speak as little HTTP as possible: it is the arrivals that are measured
and no client. Prints a line per run; the defaults are 2000 per second over four workers.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from dataclasses import astuple, dataclass
from pathlib import Path

from locust_fleet.settings.stores import PostgresSettings
from tests.integration.conftest import wait_until
from tests.integration.fleet import ADDRESS, Fleet
from tests.integration.users.target import Target, target

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


def main(rate: int, workers: int, seconds: int, runs: int) -> None:
    print(f"{rate} arrivals per second over {workers} workers, {seconds:g} s a run\n")
    print("| run | arrivals/s | off by | busiest 100 ms | more than asked | windows over +5 % |")
    print("|---|---|---|---|---|---|")
    found: list[Seen] = []
    with tempfile.TemporaryDirectory() as folder, target(ADDRESS) as shop:
        nowhere = PostgresSettings(ADDRESS, 1, "none", "none", "none")
        fleet = Fleet(Path(folder), nowhere, LEAN.format(rate=rate))
        try:
            fleet.start_master()
            for number in range(workers):
                fleet.start_worker(f"w{number}")
            fleet.wait_for_workers(workers)
            for run in range(runs):
                found.append(measure(fleet, shop, rate, workers, seconds))
                print(f"| {run + 1} |{line(found[-1], rate)}", flush=True)
        finally:
            for name in ["master", *(f"w{number}" for number in range(workers))]:
                fleet.end(name)
    columns = zip(*map(astuple, found), strict=True)
    print(f"| median |{line(Seen(*map(statistics.median, columns)), rate)}")


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


def line(one: Seen, rate: int) -> str:
    off, more = (100 * (value / rate - 1) for value in (one.rate, one.busiest / WINDOW_S))
    return (
        f" {one.rate:.1f} | {off:+.3f} % | {one.busiest:g} | {more:+.1f} % |"
        f" {one.over_percent:.2f} % |"
    )


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    main(*given, *(2000, 4, 30, 5)[len(given) :])
