"""The users of a class that wait for an arrival, and the arrivals that wait for a user.

Whoever became free last is taken first: as few users work as are needed, up to all there are.
"""

from __future__ import annotations

from locust import User
from locust.user.task import LOCUST_STATE_RUNNING, LOCUST_STATE_WAITING

import time
from collections import deque

import gevent
from gevent.event import AsyncResult


class UserPool:
    """Brings arrivals and users of a process together; times are monotonic, in seconds."""

    def __init__(self, patience_s: float = 0.0) -> None:
        """An arrival waits so long for a user, and is dropped then."""
        # Since they were last taken.
        self.arrivals = self.dropped = 0
        self._patience_s = patience_s
        self._free: dict[User, AsyncResult[float]] = {}
        self._waiting: deque[float] = deque()

    def arrive(self, intended: float, now: float) -> None:
        """Let a free user begin what was intended for a time; it does so a moment later."""
        self.arrivals += 1
        self._drop_before(now - self._patience_s)
        if self._free:
            user, turn = self._free.popitem()
            # From now on a stop lets it end its iteration.
            user._state = LOCUST_STATE_RUNNING
            turn.set(intended)
        elif self._patience_s:
            self._waiting.append(intended)
        else:
            self.dropped += 1

    def drop(self) -> None:
        """Count an arrival that nobody may begin any more, because this process is too late."""
        self.arrivals += 1
        self.dropped += 1

    def take(self, user: User) -> float:
        """Return for when an iteration of this user was intended, as soon as there is one."""
        if self._waiting:
            # Tasks that never wait must not keep all others from their turn.
            gevent.sleep(0)
            self._drop_before(time.monotonic() - self._patience_s)
        if self._waiting:
            return self._waiting.popleft()
        turn = self._free[user] = AsyncResult()
        user._state = LOCUST_STATE_WAITING
        try:
            intended = turn.get()
        except gevent.GreenletExit:
            if self._free.pop(user, None) is None:
                # It is stopped in the moment in which it was to begin.
                self.dropped += 1
            raise
        assert intended is not None, "arrivals have a time"
        return intended

    def give_up(self) -> None:
        """Drop what waits: nobody begins anything any more."""
        self._drop_before(float("inf"))

    def take_counts(self) -> tuple[int, int]:
        """Return how many arrived since the last call, and how many of all were dropped."""
        counts = self.arrivals, self.dropped
        self.arrivals = self.dropped = 0
        return counts

    def _drop_before(self, intended: float) -> None:
        while self._waiting and self._waiting[0] < intended:
            self._waiting.popleft()
            self.dropped += 1
