"""What our steps cost per request, and how true their percentiles are, beside Locust's rounding.

Usage: python -m tests.bench.buckets [--json]
"""

from __future__ import annotations

from locust.stats import RequestStats, bucket_response_time

import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

from locust_fleet.locust_patches.stats_buckets import log_request
from locust_fleet.protocol.histogram import merge, percentile, response_time_of, step_of
from tests.bench import table

REQUESTS = 200_000
ROUNDS = 15
WORKERS = 10
FRACTIONS = (0.1, 0.5, 0.95, 0.99, 0.999)

Rounding = Callable[[float], int]
Times = Sequence[float]


def samples() -> dict[str, list[float]]:
    """Return response times in milliseconds of three kinds of servers."""
    chance = random.Random(7)

    def bimodal() -> float:
        return chance.gauss(8, 0.5) if chance.random() < 0.7 else chance.gauss(900, 90)

    return {
        "log-normal": [chance.lognormvariate(4.5, 0.9) for _ in range(REQUESTS)],
        "bimodal": [bimodal() for _ in range(REQUESTS)],
        "sub-millisecond": [chance.lognormvariate(-3, 0.8) for _ in range(REQUESTS)],
    }


def round_all(rounding: Rounding, times: Times) -> float:
    """Return microseconds per call."""
    began = time.process_time()
    for response_time in times:
        rounding(response_time)
    return 1e6 * (time.process_time() - began) / len(times)


def log_all(log: Callable[..., None], times: Times) -> float:
    """Return microseconds per request that the statistics of a worker take."""
    worker = RequestStats(use_response_times_cache=False)
    began = time.process_time()
    for response_time in times:
        log(worker, "GET", "/", response_time, 1)
    return 1e6 * (time.process_time() - began) / len(times)


def cost(
    measure: Callable[[Any, Times], float], stock_way: Any, our_way: Any, times: Times
) -> tuple[float, float, float]:
    """Return stock and ours, each the best of all rounds, and the median ratio of one round."""
    part = times[: REQUESTS // 10]
    rounds = [(measure(stock_way, part), measure(our_way, part)) for _ in range(ROUNDS)]
    stock, ours = (min(column) for column in zip(*rounds, strict=True))
    return stock, ours, statistics.median(mine / theirs for theirs, mine in rounds)


def errors(times: list[float]) -> Iterator[tuple[float, float, float, float]]:
    """Yield a fraction, the raw percentile, and by how many percent stock and ours are off."""
    raw = sorted(times)
    rounded = merge({bucket_response_time(response_time): 1} for response_time in times)
    ours = merge(of_worker(times[number::WORKERS]) for number in range(WORKERS))
    for fraction in FRACTIONS:
        truth = raw[int(len(raw) * fraction)]
        stock, mine = (cast(float, percentile(each, fraction)) for each in (rounded, ours))
        yield fraction, truth, 100 * (stock / truth - 1), 100 * (mine / truth - 1)


def of_worker(times: Times) -> dict[float, int]:
    """Return the histogram of what one worker counted."""
    return merge({response_time_of(step_of(response_time)): 1} for response_time in times)


def costs(kinds: dict[str, list[float]]) -> table.Table:
    """Return what rounding and counting a request cost."""
    ways = (
        ("rounding", round_all, bucket_response_time, step_of),
        ("log_request", log_all, RequestStats.log_request, log_request),
    )
    rows = tuple(
        (f"{what}, {kind}", *cost(measure, stock_way, our_way, times))
        for kind, times in kinds.items()
        for what, measure, stock_way, our_way in ways
    )
    title = "CPU of counting a response time, Locust's rounding and our steps"
    return table.Table(title, ("", "stock, us", "ours, us", "ratio"), rows)


def truth(kinds: dict[str, list[float]]) -> table.Table:
    """Return how far percentiles are from those of the requests themselves."""
    rows = tuple(
        (f"{kind}, p{100 * fraction:g}", raw, stock, ours)
        for kind, times in kinds.items()
        for fraction, raw, stock, ours in errors(times)
    )
    title = f"Errors of percentiles, ours merged of {WORKERS} workers"
    return table.Table(title, ("", "raw, ms", "stock, %", "ours, %"), rows)


if __name__ == "__main__":
    options = table.parser(__doc__).parse_args()
    of_servers = samples()
    table.show(options, costs(of_servers), truth(of_servers))
