"""Shapes as data: what each stage means, and what is said of one that means nothing."""

from typing import Any

import pytest

from locust_fleet.errors import ShapeError
from locust_fleet.users.arrival.shape import Ramp, plain, ramps_of


def test_a_number_is_a_rate_without_an_end() -> None:
    assert ramps_of(200) == (Ramp(float("inf"), 200, 200),)


@pytest.mark.parametrize(
    ("stages", "meant"),
    [
        ([{"rate": 100, "for": "10m"}], [(600, 100, 100)]),
        ([{"rate": 100, "over": 60}], [(60, 0, 100)]),
        (
            [{"rate": 100, "for": 1}, {"rate": 50, "over": 2.5}],
            [(1, 100, 100), (2.5, 100, 50)],
        ),
        ([{"steps": [10, 20], "each": "1m30s"}], [(90, 10, 10), (90, 20, 20)]),
        (
            [{"spikes": 400, "base": 50, "every": "5m", "for": "30s", "times": 2}],
            [(270, 50, 50), (30, 400, 400)] * 2,
        ),
        ([{"soak": 80, "over": "5m", "for": "8h"}], [(300, 0, 80), (28800, 80, 80)]),
    ],
)
def test_a_stage_is_ramps(stages: list[dict[str, Any]], meant: list[tuple[float, ...]]) -> None:
    assert plain(ramps_of(stages)) == meant


@pytest.mark.parametrize(
    ("shape", "problem"),
    [
        (0, "a rate of 0 gives no arrivals"),
        (-1, "-1 per second; use a number from 0 up"),
        (float("nan"), "nan per second"),
        (True, "True per second"),
        ("fast", "'fast' per second"),
        ([], "no stage has a rate above 0"),
        ([{"rate": 0, "for": 5}], "no stage has a rate above 0"),
        ([{"rate": 5, "for": 5}, 3], "stage 2 is 3; use {rate, for}"),
        ([{"rate": 5, "during": 5}], "stage 1 has rate, during; use {rate, for}"),
        ([{"rate": 5, "for": "soon"}], "stage 1 lasts 'soon'; use seconds"),
        ([{"rate": 5, "for": 0}], "stage 1 lasts 0;"),
        ([{"steps": 5, "each": 5}], "the steps of stage 1 are 5; use a list"),
        ([{"steps": [5, "x"], "each": 5}], "stage 1 is 'x' per second"),
        (
            [{"spikes": 9, "base": 1, "every": 5, "for": 5, "times": 2}],
            "the spikes of stage 1 last 5 s of 5 s",
        ),
        (
            [{"spikes": 9, "base": 1, "every": 5, "for": 1, "times": 0}],
            "stage 1 is to spike 0 times",
        ),
    ],
)
def test_a_shape_that_is_none_is_named_with_what_would_be_right(shape: Any, problem: str) -> None:
    with pytest.raises(ShapeError) as error:
        ramps_of(shape)
    assert problem in str(error.value)
