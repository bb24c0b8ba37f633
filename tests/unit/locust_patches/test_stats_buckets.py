"""A worker's response times reach the master within a percent of what they were."""

from locust import stats as locust_stats
from locust.stats import RequestStats

import math
import random
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.bench.clock import simulated_clock
from tests.support.fuzz import examples
from tests.unit.fleet import Master, Worker

from locust_fleet.locust_patches import stats_buckets
from locust_fleet.locust_patches.stats_buckets import count_in_steps
from locust_fleet.protocol.histogram import merge, percentile, step_of

LOCUSTS_OWN: Callable[..., None] = RequestStats.log_request
Distribution = Callable[[random.Random], float]
FRACTIONS = [number / 100 for number in range(1, 100)] + [0.995, 0.999, 0.9999]
DISTRIBUTIONS: dict[str, Distribution] = {
    "log-normal": lambda chance: chance.lognormvariate(4.5, 0.9),
    "bimodal": lambda chance: (
        chance.gauss(8, 0.5) if chance.random() < 0.7 else chance.gauss(900, 90)
    ),
    "sub-millisecond": lambda chance: chance.lognormvariate(-3, 0.8),
}


@pytest.fixture(autouse=True, scope="module")
def counted_in_steps() -> Iterator[None]:
    """Count in steps, and as before when the tests here are done."""
    with pytest.MonkeyPatch.context() as undo:
        undo.setattr(locust_stats, "bucket_response_time", locust_stats.bucket_response_time)
        undo.setattr(RequestStats, "log_request", RequestStats.log_request)
        count_in_steps()
        yield


def test_locust_asks_our_function_for_each_response_time() -> None:
    worker = Worker()

    worker.stats.log_request("GET", "/", 147.3, 0)  # type: ignore[arg-type]

    assert dict(worker.stats.entries["/", "GET"].response_times) == {step_of(147.3): 1}
    assert dict(worker.stats.total.response_times) == {step_of(147.3): 1}


@given(st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.floats(0, 1e9)), max_size=30))
def test_a_request_is_counted_as_locust_itself_counts_it(
    requests: list[tuple[str, float | None]],
) -> None:
    with simulated_clock() as clock, patch.object(stats_buckets, "time", clock):
        theirs, ours = (RequestStats(use_response_times_cache=False) for _ in range(2))
        for name, response_time in requests:
            clock.now += 0.3
            LOCUSTS_OWN(theirs, "GET", name, response_time, 9)
            ours.log_request("GET", name, response_time, 9)  # type: ignore[arg-type]

    assert ours.total.serialize() == theirs.total.serialize()
    assert ours.serialize_stats() == theirs.serialize_stats()


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf, "12", object()])
def test_a_response_time_that_is_no_number_counts_as_none(odd: Any) -> None:
    worker, master = Worker(), Master()

    for response_time in (odd, 5.0):
        worker.stats.log_request("GET", "/", response_time, 9)  # type: ignore[arg-type]
    master.take(worker.report())

    for entry in (master.stats.total, master.stats.entries["/", "GET"]):
        assert (entry.num_requests, entry.num_none_requests) == (2, 1)
        assert (entry.avg_response_time, entry.min_response_time) == (5.0, 5.0)


def test_extremes_are_numbers_that_postgres_takes() -> None:
    worker, master = Worker(), Master()

    worker.stats.log_request("GET", "/", True, 9)
    master.take(worker.report())

    (entry,) = master.seen[0]["stats"]
    assert type(entry["min_response_time"]) is type(entry["max_response_time"]) is float


@pytest.mark.parametrize(
    ("owner", "name"), [(locust_stats, "bucket_response_time"), (RequestStats, "log_request")]
)
def test_a_locust_without_the_replaced_attributes_is_an_error(
    owner: object, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(owner, name)

    with pytest.raises(AttributeError, match=name):
        count_in_steps()


@settings(max_examples=examples(15))
@pytest.mark.parametrize("distribution", DISTRIBUTIONS.values(), ids=DISTRIBUTIONS.keys())
@given(seed=st.integers(0, 10**9), workers=st.integers(1, 7), requests=st.integers(1, 20_000))
def test_every_percentile_of_any_number_of_workers_is_within_a_percent(
    distribution: Distribution, seed: int, workers: int, requests: int
) -> None:
    chance, master, fleet = random.Random(seed), Master(), [Worker() for _ in range(workers)]
    raw = [max(distribution(chance), 0.002) for _ in range(requests)]

    for number, response_time in enumerate(raw):
        worker = chance.choice(fleet)
        worker.stats.log_request("GET", "/", response_time, 10)  # type: ignore[arg-type]
        if number % 3001 == 0:
            master.take(worker.report())
    for worker in fleet:
        master.take(worker.report())

    total, raw = master.stats.total, sorted(raw)
    recorded = merge(data["stats_total"]["response_times"] for data in master.seen)
    for fraction in FRACTIONS:
        truth = pytest.approx(raw[math.floor(requests * fraction)], rel=0.01)
        assert total.get_response_time_percentile(fraction) == truth
        assert percentile(recorded, fraction) == truth
    assert total.num_requests == requests
    assert total.avg_response_time == pytest.approx(sum(raw) / requests)
    assert (total.min_response_time, total.max_response_time) == (raw[0], raw[-1])
