"""Each report is counted once, in order, however often and in whatever order it comes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locust_fleet.master.reports.sequence import ReportSequence, ReportVerdict
from locust_fleet.protocol.messages import NUMBER, OLDEST, RUN


def report(number: int, *, oldest: int = 1, run: str = "r1") -> dict[str, object]:
    return {RUN: run, NUMBER: number, OLDEST: oldest}


@pytest.fixture
def receipts() -> ReportSequence:
    receipts = ReportSequence()
    receipts.begin("r1")
    return receipts


def test_the_next_report_is_counted(receipts: ReportSequence) -> None:
    assert receipts.classify("w1", report(1)) is ReportVerdict.COUNT
    assert receipts.classify("w1", report(2)) is ReportVerdict.COUNT


def test_a_report_is_counted_once(receipts: ReportSequence) -> None:
    receipts.classify("w1", report(1))

    assert receipts.classify("w1", report(1)) is ReportVerdict.KNOWN


def test_a_report_after_a_missing_one_is_not_counted_yet(receipts: ReportSequence) -> None:
    assert receipts.classify("w1", report(2)) is ReportVerdict.EARLY
    assert receipts.last("w1") == 0


def test_reports_that_the_worker_has_dropped_are_not_waited_for(receipts: ReportSequence) -> None:
    assert receipts.classify("w1", report(7, oldest=7)) is ReportVerdict.COUNT


def test_a_report_of_another_run_is_foreign(receipts: ReportSequence) -> None:
    assert receipts.classify("w1", report(1, run="r0")) is ReportVerdict.FOREIGN


def test_a_report_without_a_number_is_counted(receipts: ReportSequence) -> None:
    assert receipts.classify("w1", {}) is ReportVerdict.COUNT


def test_a_new_leader_continues_after_the_last_counted_report(receipts: ReportSequence) -> None:
    receipts.classify("w1", report(1))
    after = ReportSequence()
    after.begin("r1", receipts.counted())

    assert after.classify("w1", report(1)) is ReportVerdict.KNOWN
    assert after.classify("w1", report(2)) is ReportVerdict.COUNT


@given(st.lists(st.integers(1, 8), max_size=60))
def test_each_report_counts_once_and_without_a_gap_in_any_order_of_arrival(
    numbers: list[int],
) -> None:
    receipts = ReportSequence()
    receipts.begin("r1")

    counted = [n for n in numbers if receipts.classify("w1", report(n)) is ReportVerdict.COUNT]

    assert counted == list(range(1, len(counted) + 1))
