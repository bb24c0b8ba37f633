"""The users of a class that wait for an arrival, and the arrivals that wait for a user.

The user that became free last is taken first, so no more users work than are needed.
"""

from __future__ import annotations

from locust import User
from locust.user.task import LOCUST_STATE_RUNNING, LOCUST_STATE_WAITING

import time
from collections import deque

import gevent
from gevent.event import AsyncResult


class UserPool:
    """Assigns arrivals to free users of this process; times are in monotonic seconds."""

    def __init__(self, wait_for_user_s: float = 0.0) -> None:
        """An arrival that finds no free user waits ``wait_for_user_s``, and is then dropped."""
        # Since the last call of ``take_counts``.
        self.arrivals = self.dropped = 0
        self._wait_for_user_s = wait_for_user_s
        self._free: dict[User, AsyncResult[float]] = {}
        self._waiting: deque[float] = deque()

    def arrive(self, intended: float, now: float) -> None:
        """Assign an iteration to a free user, which begins it in its next turn.

        ``intended`` is when the iteration was intended to begin.
        """
        self.arrivals += 1
        self._drop_before(now - self._wait_for_user_s)
        if self._free:
            user, turn = self._free.popitem()
            # A stop of the user waits for the end of its iteration from now on.
            user._state = LOCUST_STATE_RUNNING
            turn.set(intended)
        elif self._wait_for_user_s:
            self._waiting.append(intended)
        else:
            self.dropped += 1

    def drop(self) -> None:
        """Count an arrival that is dropped because this process is too late."""
        self.arrivals += 1
        self.dropped += 1

    def take(self, user: User) -> float:
        """Wait for the next iteration of this user; return when it was intended to begin."""
        if self._waiting:
            # Other greenlets need a turn even if tasks never wait.
            gevent.sleep(0)
            self._drop_before(time.monotonic() - self._wait_for_user_s)
        if self._waiting:
            return self._waiting.popleft()
        turn = self._free[user] = AsyncResult()
        user._state = LOCUST_STATE_WAITING
        try:
            intended = turn.get()
        except gevent.GreenletExit:
            if self._free.pop(user, None) is None:
                # The user is stopped after an iteration was assigned to it.
                self.dropped += 1
            raise
        assert intended is not None, "arrivals have a time"
        return intended

    def give_up(self) -> None:
        """Drop all arrivals that wait for a user."""
        self._drop_before(float("inf"))

    def take_counts(self) -> tuple[int, int]:
        """Return the arrivals and the dropped arrivals since the last call."""
        counts = self.arrivals, self.dropped
        self.arrivals = self.dropped = 0
        return counts

    def _drop_before(self, intended: float) -> None:
        while self._waiting and self._waiting[0] < intended:
            self._waiting.popleft()
            self.dropped += 1
