"""Each report is counted once, in order, however often and in whatever order it comes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locust_fleet.master.receipts import Receipts, Verdict
from locust_fleet.protocol.messages import NUMBER, OLDEST, RUN


def report(number: int, *, oldest: int = 1, run: str = "r1") -> dict[str, object]:
    return {RUN: run, NUMBER: number, OLDEST: oldest}


@pytest.fixture
def receipts() -> Receipts:
    receipts = Receipts()
    receipts.begin("r1")
    return receipts


def test_the_next_report_is_counted(receipts: Receipts) -> None:
    assert receipts.judge("w1", report(1)) is Verdict.COUNT
    assert receipts.judge("w1", report(2)) is Verdict.COUNT


def test_a_report_is_counted_once(receipts: Receipts) -> None:
    receipts.judge("w1", report(1))

    assert receipts.judge("w1", report(1)) is Verdict.KNOWN


def test_a_report_after_a_missing_one_is_not_counted_yet(receipts: Receipts) -> None:
    assert receipts.judge("w1", report(2)) is Verdict.EARLY
    assert receipts.last("w1") == 0


def test_what_the_worker_has_forgotten_is_not_waited_for(receipts: Receipts) -> None:
    assert receipts.judge("w1", report(7, oldest=7)) is Verdict.COUNT


def test_a_report_of_another_run_is_foreign(receipts: Receipts) -> None:
    assert receipts.judge("w1", report(1, run="r0")) is Verdict.FOREIGN


def test_a_report_without_a_number_is_counted(receipts: Receipts) -> None:
    assert receipts.judge("w1", {}) is Verdict.COUNT


def test_who_comes_after_goes_on_where_the_one_before_was(receipts: Receipts) -> None:
    receipts.judge("w1", report(1))
    after = Receipts()
    after.begin("r1", receipts.counted())

    assert after.judge("w1", report(1)) is Verdict.KNOWN
    assert after.judge("w1", report(2)) is Verdict.COUNT


@given(st.lists(st.integers(1, 8), max_size=60))
def test_whatever_arrives_is_counted_once_and_without_a_gap(numbers: list[int]) -> None:
    receipts = Receipts()
    receipts.begin("r1")

    counted = [n for n in numbers if receipts.judge("w1", report(n)) is Verdict.COUNT]

    assert counted == list(range(1, len(counted) + 1))
