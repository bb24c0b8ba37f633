"""Thresholds are numbers of alerts that there are."""

import pytest

from locust_fleet.policy.alert_thresholds import parse_threshold, read_thresholds


def test_a_threshold_may_be_zero_or_a_fraction() -> None:
    assert read_thresholds({"LowThroughput": 0, "HighResponseTime": 1.5}) == {
        "LowThroughput": 0,
        "HighResponseTime": 1.5,
    }


@pytest.mark.parametrize("value", ["1", True, None, -1, float("nan"), float("inf"), [1]])
def test_a_threshold_that_is_no_number_is_refused_with_its_unit(value: object) -> None:
    with pytest.raises(ValueError, match=r"threshold of HighErrorRate is .* \(percent of requests"):
        read_thresholds({"HighErrorRate": value})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("HighErrorRate", "'HighErrorRate' is not NAME=VALUE"),
        ("HighErrorRate=much", "threshold of HighErrorRate is 'much'"),
        ("Slow=1", "no alert 'Slow'"),
    ],
)
def test_an_argument_that_is_no_threshold_is_named(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_threshold(text)


def test_an_argument_is_a_name_and_a_number() -> None:
    assert parse_threshold("HighResponseTime=15") == ("HighResponseTime", 15)
