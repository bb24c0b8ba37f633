"""Begin arrivals in order and at their time, as exactly as an event loop allows."""

from __future__ import annotations

import time
from collections.abc import Callable

import gevent

from locust_fleet.users.arrival.pace import Pace
from locust_fleet.users.arrival.pool import UserPool
from locust_fleet.users.arrival.schedule import Part, Schedule, Timeline

# Arrivals are computed so long in advance; the master announces a part earlier than that
# (master/dispatch/arrival_planner.py).
AHEAD_S = 0.2
# An arrival may begin so much early; within these bounds it is as much as sleeps end late.
LEAST_EARLY_S, MOST_EARLY_S = 0.0005, 0.003
# The weight of the last sleep in the moving average.
SMOOTHING = 0.1
# An arrival that is later than this is dropped.
LATE_S = 1.0
# After this time without a turn, other workers have the part of this process.
ASLEEP_S = 5.0


class ArrivalTimer:
    """The arrivals of one user class in this process."""

    def __init__(
        self, timeline: Timeline, pool: UserPool, began: Callable[[], float], position: float
    ) -> None:
        """``began`` returns when the timeline began (monotonic); arrivals start at ``position``."""
        self._timeline = timeline
        self._pool = pool
        self._began = began
        self._schedule = Schedule(timeline, position)
        self._pace = Pace()
        self._early_s = LEAST_EARLY_S
        # Whether the last stage is over and its arrivals have begun.
        self.over = False
        # Whether computed arrivals are still to begin.
        self._begins = False

    @property
    def has_part(self) -> bool:
        """Whether this process has a part of the arrivals, now or later."""
        return self._begins or (not self.over and self._schedule.has_part)

    def change(self, part: Part) -> None:
        """Change this process's part of the arrivals."""
        self._schedule.change(part)

    def run(self) -> None:
        """Begin arrivals until the last stage is over."""
        schedule = self._schedule
        while schedule.position < self._timeline.end:
            position = self._position()
            if position - schedule.position > ASLEEP_S:
                schedule.skip(position)
                self._pace = Pace()
            due = schedule.advance(position + AHEAD_S)
            self._begins = bool(due)
            for arrival in due:
                self._begin(arrival)
            self._begins = False
            gevent.sleep(max(0.0, schedule.position - AHEAD_S / 2 - self._position()))
        self.over = True

    def _begin(self, arrival: float) -> None:
        while True:
            now, intended = time.monotonic(), self._began() + arrival
            left_s = intended + self._pace.behind_s - now
            if left_s <= self._early_s:
                break
            self._sleep(now, left_s - self._early_s)
        if now - intended > LATE_S:
            # A dropped arrival does not delay the next ones.
            self._pool.drop()
        else:
            self._pace.release(intended, now)
            self._pool.arrive(intended, now)

    def _sleep(self, now: float, seconds: float) -> None:
        """Sleep, and measure how late sleeps end at the present load of the machine."""
        gevent.sleep(seconds)
        late_s = min(MOST_EARLY_S, time.monotonic() - now - seconds)
        mean_s = self._early_s + SMOOTHING * (late_s - self._early_s)
        self._early_s = max(LEAST_EARLY_S, mean_s)

    def _position(self) -> float:
        return time.monotonic() - self._began()
