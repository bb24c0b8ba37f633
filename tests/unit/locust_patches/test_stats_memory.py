"""The master forgets what nobody reads, and nothing that somebody does."""

from locust import stats as locust_stats
from locust.runners import MasterRunner
from locust.stats import RequestStats, StatsEntry, update_stats_history
from locust.util.date import format_utc_timestamp

import random
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.bench.clock import Clock, simulated_clock

from locust_fleet.locust_patches.stats_memory import (
    HISTORY_ROWS,
    SECONDS_KEPT,
    keep_snapshots_small,
    thinned,
    trim_stats,
)


def run(seconds: int, *, small: bool) -> list[tuple[Any, ...]]:
    """Return what Locust shows of each of the last seconds of a run."""
    chance, shown = random.Random(1), []
    with simulated_clock() as clock, pytest.MonkeyPatch.context() as patch:
        patch.setattr(StatsEntry, "_cache_response_times", StatsEntry._cache_response_times)
        if small:
            keep_snapshots_small()
        statistics = RequestStats()
        for second in range(seconds):
            log_a_second(statistics, clock, chance, slower=second)
            if small:
                trim_stats(statistics)
            entry = statistics.entries["/", "GET"]
            shown.append((entry.current_rps, entry.current_fail_per_sec, *percentiles(entry)))
    return shown


def log_a_second(
    statistics: RequestStats, clock: Clock, chance: random.Random, *, slower: float
) -> None:
    """Log what happens in a second, and let it pass."""
    for _ in range(chance.randrange(9)):
        clock.now += 0.1
        statistics.log_request("GET", "/", cast(int, chance.uniform(1, 900) + slower), 1)
    statistics.log_error("GET", "/", "no")
    clock.now = int(clock.now + 1)


def percentiles(entry: StatsEntry) -> list[float | None]:
    return [entry.get_current_response_time_percentile(fraction) for fraction in (0.5, 0.95, 1)]


def test_what_locust_shows_of_the_present_stays_the_same() -> None:
    assert run(1500, small=True) == run(1500, small=False)


def test_an_hour_takes_no_more_than_some_minutes() -> None:
    statistics, chance = RequestStats(), random.Random(2)

    with simulated_clock() as clock:
        for _ in range(3600):
            log_a_second(statistics, clock, chance, slower=0)
            trim_stats(statistics)

    for entry in (statistics.total, statistics.entries["/", "GET"]):
        assert len(entry.num_reqs_per_sec) <= 2 * SECONDS_KEPT
        assert len(entry.num_fail_per_sec) <= 2 * SECONDS_KEPT


def test_the_charts_of_a_long_run_cover_all_of_it() -> None:
    statistics = RequestStats()
    runner = cast(MasterRunner, SimpleNamespace(stats=statistics, user_count=1))
    day = [format_utc_timestamp(1_800_000_000 + second) for second in range(0, 86_400, 5)]

    for timestamp in day:
        update_stats_history(runner, timestamp)
        trim_stats(statistics)

    times = [row["time"] for row in statistics.history]
    assert HISTORY_ROWS / 2 <= len(times) <= HISTORY_ROWS
    assert times[0] == day[0]
    assert times[-1] >= day[-20]
    first_half = sum(time < day[len(day) // 2] for time in times)
    assert first_half > len(times) / 4


def test_thinned_rows_are_evenly_spread() -> None:
    rows = [{"time": format_utc_timestamp(1_800_000_000 + 5 * number)} for number in range(2001)]

    kept = thinned(rows, 1000)

    assert kept == rows[::2]


def test_a_locust_without_the_replaced_attribute_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(locust_stats.StatsEntry, "_cache_response_times")

    with pytest.raises(AttributeError, match="_cache_response_times"):
        keep_snapshots_small()
