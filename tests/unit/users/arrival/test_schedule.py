"""All workers together start each arrival once, at its time, whatever their parts become."""

from __future__ import annotations

import math
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locust_fleet.users.arrival.schedule import ALL, Part, Schedule, Timeline
from locust_fleet.users.arrival.shape import Ramp, ramps_of

RATES = st.one_of(st.just(0.0), st.floats(0.5, 300))
RAMPS = st.lists(st.builds(Ramp, st.floats(0.05, 8), RATES, RATES), min_size=1, max_size=5)
USERS = st.lists(st.integers(0, 50), min_size=4, max_size=4).filter(any)


def parts_of(users: list[int], since: float) -> list[Part]:
    """Return the part of each worker for its users, as the leader makes them."""
    ends = list(accumulate(users))
    return [
        Part(since, last - size, last, ends[-1]) for size, last in zip(users, ends, strict=True)
    ]


def all_of(timeline: Timeline) -> list[float]:
    return [timeline.position_of(arrival) for arrival in range(timeline.first_from(timeline.end))]


@given(RAMPS)
def test_arrivals_follow_the_integral_of_the_rate(ramps: list[Ramp]) -> None:
    timeline = Timeline(tuple(ramps))
    wanted = sum(ramp.seconds * (ramp.begin + ramp.end) / 2 for ramp in ramps)

    positions = all_of(timeline)

    assert abs(len(positions) - wanted) <= 0.5 + 1e-6
    assert positions == sorted(positions)
    assert all(0 <= position <= timeline.end for position in positions)
    assert timeline.position_of(len(positions) + 1) == math.inf


@given(RAMPS, st.floats(0, 40))
def test_the_first_arrival_from_a_position_on_is_the_first(
    ramps: list[Ramp], position: float
) -> None:
    timeline = Timeline(tuple(ramps))
    first = timeline.first_from(position)

    assert timeline.position_of(first) >= min(position, timeline.end) - 1e-6
    if first:
        assert timeline.position_of(first - 1) <= position + 1e-6


def test_a_constant_rate_is_evenly_spaced() -> None:
    timeline = Timeline(ramps_of(2000))
    gaps = [
        after - before
        for before, after in pairwise(timeline.position_of(k) for k in range(10**7, 10**7 + 2000))
    ]
    assert min(gaps) == pytest.approx(0.0005, rel=1e-4)
    assert max(gaps) == pytest.approx(0.0005, rel=1e-4)


def test_a_ramp_from_nothing_gets_ever_faster() -> None:
    # Half of the rate after half of the time: a quarter of the arrivals.
    timeline = Timeline(ramps_of([{"rate": 100, "over": 10}]))
    assert timeline.first_from(10) == 500
    assert timeline.first_from(5) == 125


@given(RAMPS, st.lists(st.tuples(st.floats(0.01, 3), USERS), min_size=1, max_size=5), st.data())
def test_every_arrival_is_of_one_worker_however_parts_change(
    ramps: list[Ramp], changes: list[tuple[float, list[int]]], data: st.DataObject
) -> None:
    timeline = Timeline(tuple(ramps))
    sinces = [0.0, *accumulate(after for after, _ in changes)][:-1]
    due: list[float] = []
    for worker in range(4):
        schedule = Schedule(timeline, 0.0)
        for since, (_, users) in zip(sinces, changes, strict=True):
            # Each hears of a change at a time of its own, before it is valid.
            schedule.change(parts_of(users, since)[worker])
            until = data.draw(st.floats(min(schedule.position, since), since))
            due += schedule.advance(until)
        due += schedule.advance(timeline.end)

    assert sorted(due) == all_of(timeline)


def test_who_hears_late_of_a_change_goes_on_with_what_it_had() -> None:
    schedule = Schedule(Timeline(ramps_of(10)), 0.0)
    schedule.change(Part(0, 0, 1, 2))
    early = schedule.advance(5)
    schedule.change(Part(3, 0, 2, 2))
    assert len(early) == pytest.approx(25, abs=2)
    assert len(schedule.advance(10)) == 50


def test_who_joins_begins_where_the_others_are() -> None:
    schedule = Schedule(Timeline(ramps_of(10)), 100.0)
    schedule.change(ALL)
    assert schedule.advance(101) == pytest.approx([100.05 + step / 10 for step in range(10)])


def test_without_a_part_there_are_no_arrivals() -> None:
    assert Schedule(Timeline(ramps_of(10)), 0.0).advance(10) == []


@pytest.mark.parametrize("users", [[1, 1, 1, 1], [5, 3, 1, 1], [100, 1, 0, 7]])
def test_any_few_arrivals_are_shared_by_the_parts(users: list[int]) -> None:
    parts = parts_of(users, 0)
    for first in range(0, 100_000, 997):
        for part, size in zip(parts, users, strict=True):
            has = sum(part.has(arrival) for arrival in range(first, first + 200))
            assert abs(has - 200 * size / sum(users)) < 5
