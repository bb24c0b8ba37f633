"""How long a scrape of the master takes, and how long it keeps the event loop at a time.

Usage: python -m tests.bench.scrape [--names 1000] [--workers 3] [--json]

Milliseconds are of CPU time, which is what it takes when nothing else runs. Every name has a
histogram as after a long run, and is in every report.
"""

from __future__ import annotations

from locust.env import Environment
from locust.stats import StatsEntry

import random
import tempfile
import time
from pathlib import Path
from typing import Any, cast

import gevent

from locust_fleet.master.metrics.counters import EndpointCounters
from locust_fleet.master.metrics.exporter import MasterMetrics
from locust_fleet.master.results.recorder import Recorder
from locust_fleet.master.results.spool import Spool
from locust_fleet.master.workers.roster import Roster
from locust_fleet.settings.master import thresholds
from tests.bench import table

SCRAPES = 10
# Of a name: in the run before the last ten seconds, and in a worker's report.
BEFORE, IN_REPORT = 10_000, 5
# As a reporting worker does: every three seconds, in the last ten.
REPORTS = 4


def measure(names: int, workers: int) -> table.Table:
    random.seed(1)
    environment = Environment()
    runner = environment.create_local_runner()
    counts = EndpointCounters(names)
    for number in range(names):
        entry = an_entry(name_of(number), BEFORE)
        into = environment.stats.get(entry["name"], entry["method"])
        into.extend(StatsEntry.unserialize(cast("Any", entry), environment.stats))
    reporting = Milliseconds()
    for number in range(REPORTS):
        for worker in range(workers):
            report = a_report(names)
            with reporting:
                counts.add(f"w{worker}", report, time.monotonic() - 9 + 3 * number)
    with tempfile.TemporaryDirectory() as folder:
        spool = Spool(Path(folder))
        metrics = MasterMetrics(
            cast("Any", WithoutWorkers(runner)),
            Recorder(spool, "bench"),
            spool,
            counts,
            Roster(),
            thresholds({}),
            "bench",
        )
        lag = Milliseconds()
        watch = gevent.spawn(look, lag)
        scraping, size = Milliseconds(), 0
        for _ in range(SCRAPES):
            with scraping:
                size = sum(len(part) for part in metrics.render())
            gevent.sleep(0.01)
        watch.kill()
    rows = (
        ("a report counted", reporting.median, reporting.longest),
        ("a scrape", scraping.median, scraping.longest),
        ("the loop kept waiting", lag.median, lag.longest),
    )
    title = f"A scrape of {size / 1e6:.1f} MB: {names} names, {workers} workers"
    return table.Table(title, ("", "median, ms", "longest, ms"), rows)


class WithoutWorkers:
    """A runner with its statistics, and nobody connected."""

    def __init__(self, runner: Any) -> None:
        self.stats = runner.stats
        self.clients: dict[str, Any] = {}
        self.user_count = self.target_user_count = 0


class Milliseconds:
    """Times what it is around, and what has its turn meanwhile."""

    def __init__(self) -> None:
        self._taken: list[float] = []

    def __enter__(self) -> None:
        self._began = time.thread_time()

    def __exit__(self, *_: object) -> None:
        self._taken.append(1000 * (time.thread_time() - self._began))

    @property
    def median(self) -> float:
        return sorted(self._taken)[len(self._taken) // 2]

    @property
    def longest(self) -> float:
        return max(self._taken)


def look(lag: Milliseconds) -> None:
    while True:
        with lag:
            gevent.sleep(0)


def a_report(names: int) -> dict[str, Any]:
    stats = [an_entry(name_of(number), IN_REPORT) for number in range(names)]
    return {"stats": stats, "stats_total": an_entry("", names * IN_REPORT), "errors": {}}


def name_of(number: int) -> str:
    return f"/products/{number}?with=a%20longer%20name"


def an_entry(name: str, requests: int) -> dict[str, Any]:
    times: dict[float, int] = {}
    for _ in range(requests):
        # 128 steps per power of two, as our workers round.
        time_ms = 2 ** (round(128 * random.gauss(4, 1)) / 128)
        times[time_ms] = times.get(time_ms, 0) + 1
    return {
        "method": "GET",
        "name": name,
        "num_requests": sum(times.values()),
        "num_none_requests": 0,
        "num_failures": 1,
        "total_response_time": sum(time * count for time, count in times.items()),
        "max_response_time": max(times),
        "min_response_time": min(times),
        "total_content_length": 1,
        "response_times": times,
        "num_reqs_per_sec": {},
        "num_fail_per_sec": {},
        "last_request_timestamp": time.time(),
        "start_time": time.time(),
    }


if __name__ == "__main__":
    options = table.parser(__doc__)
    options.add_argument("--names", type=int, default=1000)
    options.add_argument("--workers", type=int, default=3)
    arguments = options.parse_args()
    table.show(arguments, measure(arguments.names, arguments.workers))
