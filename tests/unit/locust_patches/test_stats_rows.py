"""What a master adds up from rows is what it adds up from entries."""

from locust.event import Events
from locust.stats import RequestStats, StatsEntry, setup_distributed_stats_event_listeners

import copy
import random
from typing import Any, cast

import pytest
from tests.bench.clock import Clock, simulated_clock

from locust_fleet.locust_patches.stats_rows import read_rows_plainly


def reports(clock: Clock) -> list[dict[str, Any]]:
    """Return what two workers report, with failures, nothing, and requests without a time."""
    chance, made = random.Random(1), []
    for _ in range(2):
        stats, events = RequestStats(use_response_times_cache=False), Events()
        setup_distributed_stats_event_listeners(events, stats)
        for requests in (50, 0, 7):
            for number in range(requests):
                clock.now += 0.1
                time_ms = cast(int, None if number % 9 == 0 else chance.uniform(1, 900))
                stats.log_request("GET", f"/{number % 5}", time_ms, 7)
                if number % 4 == 0:
                    stats.log_error("GET", f"/{number % 5}", "no")
            data: dict[str, Any] = {}
            events.report_to_master.fire(client_id="w", data=data)
            made.append(copy.deepcopy(data))
    return made


def users_by_class(plainly: bool) -> list[Any]:
    with simulated_clock() as clock, pytest.MonkeyPatch.context() as patch:
        patch.setattr(StatsEntry, "unserialize", StatsEntry.unserialize)
        made = reports(clock)
        if plainly:
            read_rows_plainly()
        stats, events = RequestStats(), Events()
        setup_distributed_stats_event_listeners(events, stats)
        for report in made:
            events.worker_report.fire(client_id="w", data=report)
        return [stats.total.serialize(), *stats.serialize_stats(), stats.serialize_errors()]


def test_rows_add_up_to_what_entries_do() -> None:
    assert users_by_class(plainly=True) == users_by_class(plainly=False)
