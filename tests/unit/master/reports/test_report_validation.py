"""A report is read as what its readers can add up, or refused; nothing of it poisons the rest."""

from locust.rpc import Message

import contextlib
import math
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.fleet import Master, Worker

from locust_fleet.master.reports.report_validation import read_report
from locust_fleet.master.results.bounds import LONGEST_MS, MOST_BYTES, MOST_COUNT
from locust_fleet.protocol.histogram import ARRIVED
from locust_fleet.protocol.message_validation import Unreadable
from locust_fleet.protocol.report_codec import SHORT, shorten

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=8,
)

AROUND = {"user_count": 1, "user_classes_count": {"Shopper": 1}}
FIELDS = (
    *("name", "method", "num_requests", "num_failures", "num_none_requests", "start_time"),
    *("last_request_timestamp", "total_response_time", "max_response_time", "response_times"),
    *("min_response_time", "total_content_length", "num_reqs_per_sec", "num_fail_per_sec"),
)


def a_report() -> dict[str, Any]:
    worker = Worker(stock=True)
    worker.stats.log_request("GET", "/", 12, 100)
    worker.stats.log_error("GET", "/", "refused")
    report: dict[str, Any] = Message.unserialize(worker.report()).data
    return report


def test_a_report_reads_the_same_in_its_short_form() -> None:
    short, plainly = a_report(), a_report()
    shorten(short)

    read_report(short)
    read_report(plainly)

    assert short["stats"][0]["num_requests"] == plainly["stats"][0]["num_requests"] == 1


@pytest.mark.parametrize(
    "field",
    ["num_requests", "num_failures", "total_response_time", "start_time", "response_times", "name"],
)
@pytest.mark.parametrize("place", ["stats", "stats_total"])
def test_a_report_with_a_count_of_another_type_is_refused(place: str, field: str) -> None:
    report = a_report()
    entry = report[place][0] if place == "stats" else report[place]
    entry[field] = b"?"

    with pytest.raises(Unreadable):
        read_report(report)


def test_a_short_form_that_unpacks_to_very_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    report = a_report()
    shorten(report)
    monkeypatch.setattr("locust_fleet.protocol.report_codec.MOST_BYTES", 10)

    with pytest.raises(Unreadable, match="more than 10 bytes"):
        read_report(report)


@given(st.binary(max_size=100))
def test_any_bytes_are_a_short_form_or_are_refused(packed: bytes) -> None:
    with pytest.raises(Unreadable):
        read_report({**AROUND, SHORT: packed, "errors": {}})


@given(plain)
def test_any_statistics_are_read_or_refused(value: object) -> None:
    for field in ("stats", "stats_total", "errors"):
        report = {**a_report(), field: value}
        with contextlib.suppress(Unreadable):
            read_report(report)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("num_requests", -1),
        ("num_requests", 2**64 - 1),
        ("num_failures", MOST_COUNT + 1),
        ("last_request_timestamp", math.inf),
        ("last_request_timestamp", math.nan),
        ("start_time", -math.inf),
        ("response_times", {5.0: -1}),
        ("response_times", {5.0: 2}),
        ("response_times", {math.nan: 1}),
        ("num_reqs_per_sec", {1e300: 1}),
        ("name", None),
    ],
)
@pytest.mark.parametrize("place", ["stats", "stats_total"])
def test_an_impossible_count_is_refused(place: str, field: str, value: object) -> None:
    report = a_report()
    entry = report[place][0] if place == "stats" else report[place]
    entry[field] = value

    with pytest.raises(Unreadable):
        read_report(report)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 1e300, -1e300])
@pytest.mark.parametrize("short", [True, False])
def test_an_amount_that_no_column_holds_is_bounded(value: float, short: bool) -> None:
    report = a_report()
    for field in ("total_content_length", "total_response_time", "max_response_time"):
        report["stats"][0][field] = value
    if short:
        shorten(report)

    read_report(report)

    [entry] = report["stats"]
    assert abs(entry["total_content_length"]) <= MOST_BYTES
    assert abs(entry["total_response_time"]) <= LONGEST_MS
    assert entry["num_requests"] == 1


@pytest.mark.parametrize("arrived", [{"U": [1, 2, 3]}, {5: [1, 2]}, {"U": [1, -2]}, []])
def test_arrivals_of_another_form_are_refused(arrived: object) -> None:
    with pytest.raises(Unreadable):
        read_report({**a_report(), ARRIVED: arrived})


def test_a_failure_without_an_error_is_refused() -> None:
    report = a_report()
    for failure in report["errors"].values():
        del failure["error"]

    with pytest.raises(Unreadable, match="error"):
        read_report(report)


def test_a_refused_report_stays_unchanged() -> None:
    report = a_report()
    shorten(report)
    report[SHORT] = b"?"

    with pytest.raises(Unreadable):
        read_report(report)

    assert report[SHORT] == b"?"


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), plain))
def test_accepted_reports_can_be_added_up(changes: dict[str, object]) -> None:
    report = a_report()
    report["stats"][0] |= changes
    try:
        read_report(report)
    except Unreadable:
        return
    master = Master()

    for _ in range(2):
        master.add(deepcopy(report))

    assert master.stats.total.num_requests == 2
