"""Let arrivals begin at their time, in order, as exactly as an event loop can."""

from __future__ import annotations

import time
from collections.abc import Callable

import gevent

from locust_fleet.users.arrival.pace import Pace
from locust_fleet.users.arrival.pool import UserPool
from locust_fleet.users.arrival.schedule import Part, Schedule, Timeline

# What is worked out at once; parts are announced earlier than that (master/dispatch/arrivals.py).
AHEAD_S = 0.2
# How much earlier than it is due an arrival may begin, rather than later: as late as sleeps end.
LEAST_EARLY_S, MOST_EARLY_S = 0.0005, 0.003
# Of the last sleep, in the mean of sleeps.
FRESH = 0.1
# Later than this, nobody begins.
LATE_S = 1.0
# A process that slept so long: others have its part by then, or its users are stopped.
ASLEEP_S = 5.0


class Metronome:
    """The arrivals of one class of users in this process."""

    def __init__(
        self, timeline: Timeline, pool: UserPool, began: Callable[[], float], position: float
    ) -> None:
        """``began`` says when the timeline did (monotonic); this process joins at a position."""
        self._timeline = timeline
        self._pool = pool
        self._began = began
        self._schedule = Schedule(timeline, position)
        self._pace = Pace()
        self._early_s = LEAST_EARLY_S
        # Whether everything has begun that there is.
        self.over = False
        # Whether there is something to begin that was worked out already.
        self._begins = False

    @property
    def has_part(self) -> bool:
        """Whether anything arrives here, or will as far as is known."""
        return self._begins or (not self.over and self._schedule.has_part)

    def change(self, part: Part) -> None:
        """Have another part of the arrivals."""
        self._schedule.change(part)

    def run(self) -> None:
        """Let arrivals begin until the last stage is over."""
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
            # Nor does it put off what is to come.
            self._pool.drop()
        else:
            self._pace.release(intended, now)
            self._pool.arrive(intended, now)

    def _sleep(self, now: float, seconds: float) -> None:
        """Sleep, and learn how late sleeps end while this machine is as busy as it is."""
        gevent.sleep(seconds)
        late_s = min(MOST_EARLY_S, time.monotonic() - now - seconds)
        mean_s = self._early_s + FRESH * (late_s - self._early_s)
        self._early_s = max(LEAST_EARLY_S, mean_s)

    def _position(self) -> float:
        return time.monotonic() - self._began()
