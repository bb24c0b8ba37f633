"""How many bytes a worker's report has, ours against Locust's own, and what it costs.

Usage: python -m tests.bench.reports [--json]
"""

from __future__ import annotations

from locust import stats
from locust.event import Events
from locust.rpc import Message
from locust.stats import RequestStats, setup_distributed_stats_event_listeners

import random
import time
from collections.abc import Callable
from itertools import product
from math import log
from typing import Any, NamedTuple, cast
from unittest.mock import patch

from locust_fleet.protocol.histogram import step_of
from locust_fleet.protocol.report_codec import restore, shorten
from tests.bench import table
from tests.bench.clock import simulated_clock

INTERVAL_S = 3
ROUNDS = 5
Rounding = Callable[[float], int]


class Sizes(NamedTuple):
    """Bytes of one report, and CPU milliseconds to make it and to take it in."""

    stock: int
    ours: int
    stock_ms: float
    ours_ms: float


def report(names: int, requests: int, usual_ms: float, rounding: Rounding) -> dict[str, Any]:
    """Return what a worker reports after an interval of log-normal response times."""
    chance = random.Random(names)
    with simulated_clock() as clock, patch.object(stats, "bucket_response_time", rounding):
        worker, events = RequestStats(use_response_times_cache=False), Events()
        setup_distributed_stats_event_listeners(events, worker)
        for _ in range(requests):
            clock.now += INTERVAL_S / requests
            name, took = (
                f"/shop/products/{chance.randrange(names)}",
                chance.lognormvariate(log(usual_ms), 0.8),
            )
            worker.log_request("GET", name, cast(int, took), 4321)
    data: dict[str, Any] = {"user_count": 100, "user_classes_count": {"Shopper": 100}}
    events.report_to_master.fire(client_id="w1", data=data)
    return data


def compare(names: int, requests: int, usual_ms: float) -> Sizes:
    """Return how large the same requests make both reports."""
    stock, ours = (
        report(names, requests, usual_ms, by) for by in (stats.bucket_response_time, step_of)
    )
    both = [(_way(stock, short=False), _way(ours, short=True)) for _ in range(ROUNDS)]
    (size, stock_ms), (short_size, ours_ms) = (min(column) for column in zip(*both, strict=True))
    return Sizes(size, short_size, stock_ms, ours_ms)


def _way(data: dict[str, Any], *, short: bool) -> tuple[int, float]:
    """Return the bytes of a report, and the CPU milliseconds of both its ends."""
    data = dict(data)
    began = time.thread_time()
    if short:
        shorten(data)
    sent = Message("stats", data, "w1").serialize()
    received = Message.unserialize(sent).data
    if short:
        restore(received)
    return len(sent), 1000 * (time.thread_time() - began)


def measure(usual_ms: float, names: int, requests: int) -> tuple[table.Cell, ...]:
    """Return a line of the table."""
    sizes = compare(names, requests, usual_ms)
    case = f"{usual_ms:g} ms, {names} names, {requests} requests"
    return case, sizes.stock, sizes.ours, sizes.ours / sizes.stock, sizes.stock_ms, sizes.ours_ms


if __name__ == "__main__":
    arguments = table.parser(__doc__).parse_args()
    columns = ("", "stock, bytes", "ours, bytes", "ratio", "stock, ms", "ours, ms")
    cases = product((100, 0.5), (1, 100, 1000), (300, 3000, 30_000))
    rows = tuple(measure(*case) for case in cases)
    table.show(
        arguments, table.Table("A report of a worker: its size, and both its ends", columns, rows)
    )
