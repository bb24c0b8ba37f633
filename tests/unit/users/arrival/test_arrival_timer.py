"""Arrivals begin at their time, also where this process does not get its turn."""

from __future__ import annotations

import time

import gevent
import pytest
from gevent.monkey import get_original
from tests.unit.users.arrival.hold_ups import HoldUps

from locust_fleet.users.arrival import arrival_timer
from locust_fleet.users.arrival.arrival_timer import LATE_S, ArrivalTimer
from locust_fleet.users.arrival.pool import UserPool
from locust_fleet.users.arrival.schedule import ALL, Timeline
from locust_fleet.users.arrival.shape import ramps_of


class Begun(UserPool):
    """Notes when each arrival begins, and how late."""

    def __init__(self) -> None:
        super().__init__()
        self.late: list[float] = []

    def arrive(self, intended: float, now: float) -> None:
        self.arrivals += 1
        self.late.append(time.monotonic() - intended)


def running(pool: UserPool, began: float, seconds: float, position: float = 0.0) -> ArrivalTimer:
    timeline = Timeline(ramps_of([{"rate": 100, "for": seconds}]))
    one = ArrivalTimer(timeline, pool, lambda: began, position)
    one.change(ALL)
    gevent.spawn(one.run)
    return one


def hold_up(seconds: float) -> None:
    """Let nobody in this process have a turn."""
    get_original("time", "sleep")(seconds)


def wait_for_end(one: ArrivalTimer) -> None:
    with gevent.Timeout(10):
        while not one.over:
            gevent.sleep(0.01)


def test_all_arrivals_begin_in_order_and_on_time(hold_ups: HoldUps) -> None:
    pool, before = Begun(), time.monotonic()

    wait_for_end(running(pool, before + 0.1, 1.0))

    assert pool.take_counts() == (100, 0)
    assert time.monotonic() - before > 1.0
    assert sorted(pool.late)[50] < 0.02 + 2 * hold_ups.longest_s
    assert min(pool.late) > -0.006


def test_a_process_that_is_held_up_for_a_moment_drops_nothing() -> None:
    pool = Begun()
    one = running(pool, time.monotonic(), 1.0)
    gevent.sleep(0.3)
    hold_up(0.4)
    wait_for_end(one)
    assert len(pool.late) == 100
    assert max(pool.late) > 0.35


def test_what_is_too_late_is_dropped() -> None:
    pool = Begun()
    one = running(pool, time.monotonic(), 2.0)
    gevent.sleep(0.1)
    hold_up(LATE_S + 0.5)
    wait_for_end(one)
    arrivals, dropped = pool.take_counts()
    assert arrivals == 200
    assert dropped == 200 - len(pool.late) > 20
    assert max(pool.late) < LATE_S + 0.2


def test_a_process_that_slept_long_leaves_out_what_others_have_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(arrival_timer, "ASLEEP_S", 1.5)
    pool = Begun()
    one = running(pool, time.monotonic(), 4.0)
    gevent.sleep(0.1)
    hold_up(2.5)
    wait_for_end(one)
    assert pool.take_counts()[0] == pytest.approx(160, abs=30)
    # It goes on without delay.
    assert sorted(pool.late)[len(pool.late) // 2] < 0.1


def test_who_joins_begins_with_what_is_to_come() -> None:
    pool = Begun()
    wait_for_end(running(pool, time.monotonic() - 60, 60.5, position=60.0))
    assert pool.take_counts()[0] == 50
