"""Counts are what workers reported, whatever Locust's own statistics go through."""

from typing import Any

import pytest

from locust_fleet.master.metrics.counters import (
    BUCKETS_S,
    ERROR_CHARACTERS,
    ERRORS_LIMIT,
    Endpoint,
    EndpointCounters,
    Rate,
)


def entry(name: str, times: dict[float, int], failures: int = 0) -> dict[str, Any]:
    return {
        "method": "GET",
        "name": name,
        "num_requests": sum(times.values()),
        "num_failures": failures,
        "total_response_time": float(sum(time * count for time, count in times.items())),
        "response_times": times,
    }


def report(
    name: str = "/", times: dict[float, int] | None = None, failures: int = 0, *errors: str
) -> dict[str, Any]:
    times = {10: 1} if times is None else times
    return {
        "stats": [entry(name, times, failures)],
        "stats_total": entry("Aggregated", times, failures),
        "errors": {
            str(number): {"method": "GET", "name": name, "error": error, "occurrences": 1}
            for number, error in enumerate(errors)
        },
    }


def counted(*reports: dict[str, Any], names_limit: int = 2000) -> EndpointCounters:
    counts = EndpointCounters(names_limit)
    for one in reports:
        counts.add("w1", one, 100.0)
    return counts


def only(counts: EndpointCounters) -> Endpoint:
    [endpoint] = counts.endpoints()
    return endpoint


def test_reports_are_added_up() -> None:
    endpoint = only(counted(report(times={10: 3}, failures=1), report(times={20: 2}, failures=2)))

    assert (endpoint.successes, endpoint.failures, endpoint.sum_ms) == (2, 3, 70)


def test_a_response_time_on_a_bound_is_within_it() -> None:
    endpoint = only(counted(report(times={10: 1, 10.01: 1, 99_999: 1, 0: 1})))

    below = dict(zip((*BUCKETS_S, "+Inf"), endpoint.cumulative(), strict=True))
    assert (below[0.001], below[0.005], below[0.01], below[0.025]) == (1, 1, 2, 3)
    assert (below[60], below["+Inf"]) == (3, 4)


def test_no_count_goes_down_when_a_run_starts() -> None:
    counts = counted(report(times={10: 3}))

    counts.start_run()

    assert only(counts).successes == 3
    assert counts.recent_total(100.0).requests == 0


def test_names_beyond_the_limit_are_counted_together() -> None:
    counts = counted(*(report(f"/{number}") for number in range(5)), names_limit=1)

    assert [(one.name, one.successes) for one in counts.endpoints()] == [
        ("/0", 1),
        ("/1", 1),
        ("/2", 1),
        ("(other)", 2),
    ]
    assert counts.over_limit


def test_each_run_has_room_for_names_up_to_the_limit() -> None:
    counts = EndpointCounters(3)
    for run in range(10):
        counts.start_run()
        for number in range(3):
            counts.add("w1", report(f"/{run}/{number}"), 100.0)
        counts.add("w1", report("(other)"), 100.0)
        named = {endpoint.name for endpoint in counts.endpoints()}

        assert {f"/{run}/0", f"/{run}/1", f"/{run}/2", "(other)"} <= named
        assert not counts.over_limit


def test_too_many_names_of_one_run_leave_room_for_those_of_the_next() -> None:
    counts = counted(report("/1"), report("/2"), names_limit=1)

    counts.start_run()
    counts.add("w1", report("/3"), 200.0)

    assert only(counts).name == "/3"
    assert not counts.over_limit


def test_errors_beyond_the_limit_are_counted_together() -> None:
    counts = counted(report("/", {10: 1}, 0, *(f"error {n}" for n in range(ERRORS_LIMIT + 5))))

    errors = only(counts).errors
    assert len(errors) == ERRORS_LIMIT + 1
    assert errors["(other)"] == 5


def test_a_long_error_is_cut() -> None:
    assert list(only(counted(report("/", {10: 1}, 1, "x" * 5000))).errors) == [
        "x" * ERROR_CHARACTERS
    ]


def test_recent_requests_are_those_reported_in_the_last_ten_seconds() -> None:
    counts = EndpointCounters(2000)
    counts.add("w1", report(times={10: 1}, failures=1), 100.0)
    counts.add("w1", report(times={20: 2}), 106.0)

    assert counts.recent_total(110.0).times == {10: 1, 20: 2}
    assert counts.recent(only(counts), 113.0).times == {20: 2}
    assert counts.recent_total(117.0).requests == 0


def test_a_report_is_not_changed_by_those_after_it() -> None:
    first = report(times={10: 1})

    counted(first, report(times={10: 5}))

    assert first["stats"][0]["response_times"] == {10: 1}


@pytest.mark.parametrize("now", [120.0, 120.9, 121.7, 122.3])
def test_a_steady_rate_is_steady_wherever_the_window_cuts_the_reports(now: float) -> None:
    rate = Rate()
    for number in range(8):
        rate.add("w1", 30, 99.5 + 3 * number)
        rate.add("w2", 60, 98.3 + 3 * number)

    assert rate.per_second(now) == pytest.approx(30.0)


def test_the_rate_falls_to_zero_when_no_request_ends() -> None:
    rate = Rate()
    rate.add("w1", 300, 100.0)

    assert rate.per_second(104.0) > 0
    assert rate.per_second(114.0) == 0


def test_requests_before_the_first_report_of_a_worker_are_not_lost() -> None:
    rate = Rate()
    rate.add("w1", 300, 103.0)

    assert rate.per_second(106.0) == 30
