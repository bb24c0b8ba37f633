"""Validate a worker's report, so that no later reader has to check a number. Pure.

Anybody who reaches port 5557 can send a report. A value of the wrong type, or an impossible count,
makes it unreadable. An amount too large for its column, as of an odd response, is clamped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Any

from locust_fleet.master.results.bounds import LONGEST_MS, MOST_BYTES, MOST_COUNT, duration, finite
from locust_fleet.protocol.histogram import ARRIVED
from locust_fleet.protocol.message_validation import (
    Cause,
    Unreadable,
    capacity,
    fields,
    mapping,
    row,
    users,
    wrong_users,
    wrong_whole,
)
from locust_fleet.protocol.report_codec import SECONDS, SHORT, restore

Types = frozenset[type[object]]
TEXT: Types = frozenset({str})
INTEGER: Types = frozenset({int})
NUMBERS: Types = frozenset({int, float})
MAYBE_NUMBERS: Types = frozenset({int, float, type(None)})
MAYBE_TEXT: Types = frozenset({str, type(None)})
COUNTS = ("num_requests", "num_none_requests", "num_failures")
# In seconds since 1970; the latest is in the year 5138.
TIMES, LATEST_S = ("start_time", "last_request_timestamp"), 1e11
DURATIONS, SHORTEST = ("total_response_time", "max_response_time"), "min_response_time"
# The fields beside the statistics; a scenario may add more.
OTHER_FIELDS = fields(
    {"user_count": wrong_users, "user_classes_count": users},
    {"capacity": capacity, ARRIVED: mapping(row(wrong_whole, wrong_whole))},
)


def read_report(report: dict[str, Any]) -> None:
    """Expand and check a worker's report for Locust's master and its listeners; in place.

    Raises Unreadable; the report must not be used then.
    """
    if wrong := OTHER_FIELDS(report):
        raise Unreadable(Cause.CONTENT, f"it{wrong}")
    try:
        if short := SHORT in report:
            restore(report)
        entries = [*report["stats"], report["stats_total"]]
        _check_entries(entries)
        if not short:
            # In the short form these are always finite numbers.
            _check_keys(entries)
        for failure in report["errors"].values():
            _check_failure(failure)
        for arrived in report.get(ARRIVED, {}).values():
            _check_range(arrived, 0, MOST_COUNT)
    except Exception as error:  # anything may be wrong with what a stranger sends
        raise Unreadable(Cause.CONTENT, f"its statistics: {error!r}") from error


def _check_entries(entries: list[dict[str, Any]]) -> None:
    """Raise if a reader would fail; check a field of all entries at once, as they may be many."""
    _check([entry["name"] for entry in entries], TEXT)
    _check([entry["method"] for entry in entries], MAYBE_TEXT)
    for field in COUNTS:
        counts = [entry[field] for entry in entries]
        _check(counts, INTEGER)
        _check_range(counts, 0, MOST_COUNT)
    for field in TIMES:
        times = [entry[field] for entry in entries]
        _check(times, MAYBE_NUMBERS if field == TIMES[1] else NUMBERS)
        _check_range([time for time in times if time is not None], 0, LATEST_S)
    for field in DURATIONS:
        _bound(entries, field, LONGEST_MS, duration)
    # There is no shortest response time if no request has one.
    timed = [entry for entry in entries if entry[SHORTEST] is not None]
    _bound(timed, SHORTEST, LONGEST_MS, duration)
    _bound(entries, "total_content_length", MOST_BYTES, _size)
    for entry in entries:
        requests, times = entry["num_requests"], entry["response_times"].values()
        if times and not (min(times) >= 0 and sum(times) <= requests):
            raise ValueError("it has more response times than requests")
        if times and entry[SHORTEST] is None:
            raise ValueError("it has response times and no shortest one")
    for field in ("response_times", *SECONDS):
        _check(chain.from_iterable([entry[field].values() for entry in entries]), INTEGER)
    for field in SECONDS:
        for entry in entries:
            _check_range(entry[field].values(), 0, MOST_COUNT)
            _check_range(entry[field], 0, LATEST_S)


def _check_keys(entries: list[dict[str, Any]]) -> None:
    for entry in entries:
        _check(entry["response_times"], NUMBERS)
        _check_range(entry["response_times"], -LONGEST_MS, LONGEST_MS)


def _check_failure(failure: Mapping[str, Any]) -> None:
    _check([failure["name"]], TEXT)
    _check([failure["method"]], MAYBE_TEXT)
    _check([failure["occurrences"]], INTEGER)
    _check_range([failure["occurrences"]], 0, MOST_COUNT)
    # It only has to exist: the decoder turns it into text.
    failure["error"]
    seen = [failure.get("first_seen"), failure.get("last_seen")]
    _check(seen, MAYBE_NUMBERS)
    _check_range([moment for moment in seen if moment is not None], 0, LATEST_S)


def _check(values: Iterable[object], known: Types) -> None:
    if not known.issuperset(map(type, values)):
        raise TypeError("a field has a type that no count has")


def _check_range(values: Iterable[float], least: float, most: float) -> None:
    known = list(values)
    # min and max may miss a NaN, but it turns the sum into NaN, which differs from itself.
    if known and not (min(known) >= least and max(known) <= most and sum(known) == sum(known)):
        raise ValueError(f"a number is not from {least:g} to {most:g}")


def _bound(
    entries: list[dict[str, Any]], field: str, most: float, bounded: Callable[[float], float]
) -> None:
    values = [entry[field] for entry in entries]
    _check(values, NUMBERS)
    if values and not (min(values) >= -most and max(values) <= most and sum(values) == sum(values)):
        for entry in entries:
            entry[field] = bounded(entry[field])


def _size(number: float) -> int:
    return int(min(max(finite(number), -MOST_BYTES), MOST_BYTES))
