from datetime import UTC, datetime

import pytest

from locust_fleet.console import formatting


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "\u2013"),
        (-3, "0 s"),
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3600, "1 h 00 min"),
        (90061, "25 h 01 min"),
    ],
)
def test_a_duration_has_two_units(seconds: float | None, text: str) -> None:
    assert formatting.span(seconds) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 0, "\u2013"),
        (None, 5, "\u2013"),
        (0, 5, "0.00 %"),
        (1, 3, "33.33 %"),
        (1, 100_000, "< 0.01 %"),
        (5, 5, "100.00 %"),
    ],
)
def test_a_few_failures_never_look_like_none(
    part: int | None, whole: int | None, text: str
) -> None:
    assert formatting.share(part, whole) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "\u2013"), (0.04, "0.0"), (12.34, "12.3"), (99.96, "100.0"), (1234.5, "1\u2009234")],
)
def test_large_numbers_have_no_decimals(value: float | None, text: str) -> None:
    assert formatting.decimal(value) == text


def test_times_are_shown_in_utc() -> None:
    assert formatting.moment("2026-01-02T03:04:05.9+02:00") == "2026-01-02 01:04:05"
    assert formatting.moment(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02 00:00:00"


def test_a_run_with_an_unknown_end_has_an_unknown_duration() -> None:
    run = {"started_at": "2026-01-02T00:00:00+00:00", "ended_at": None, "state": "finished"}

    assert formatting.took(run) is None


def test_a_run_took_from_start_to_end() -> None:
    run = {
        "started_at": "2026-01-02T00:00:00+00:00",
        "ended_at": "2026-01-02T00:01:30+00:00",
        "state": "finished",
    }

    assert formatting.took(run) == 90
