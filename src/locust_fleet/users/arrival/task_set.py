"""Have users of an open model begin a task at each arrival, not when the last one has ended.

Locust 2.47.0 (``User.run``) creates a task set that begins tasks at once and sleeps after each of
them. A user whose class has an ArrivalRate gets a task set that waits for an arrival instead; other
users keep Locust's.
"""

from __future__ import annotations

from locust import User
from locust.exception import StopUser
from locust.user import users
from locust.user.task import LOCUST_STATE_STOPPING, DefaultTaskSet

import time
from typing import Any

from locust_fleet.locust_patches.patch import replace
from locust_fleet.users.arrival import corrected
from locust_fleet.users.arrival.pool import UserPool


def begin_on_arrival() -> None:
    """Have users of a class with arrivals wait in its pool for each iteration from now on."""
    replace(users, "DefaultTaskSet", task_set_of)


def task_set_of(user: User) -> DefaultTaskSet:
    """Return the task set that runs the tasks of a user."""
    arrivals = getattr(type(user), "arrivals", None)
    pool_of = getattr(arrivals, "pool_of", None)
    return ArrivalTaskSet(user, pool_of(type(user))) if pool_of else DefaultTaskSet(user)


class ArrivalTaskSet(DefaultTaskSet):
    """Runs one task for each arrival."""

    def __init__(self, user: User, pool: UserPool) -> None:
        super().__init__(user)
        self._pool = pool
        self._in_task = False

    def get_next_task(self) -> Any:
        """Wait for an arrival and return the next task; raises StopUser when the user stops."""
        if self.user._state == LOCUST_STATE_STOPPING:
            raise StopUser
        intended = self._pool.take(self.user)
        if self.user._state == LOCUST_STATE_STOPPING:
            self._pool.dropped += 1
            raise StopUser
        corrected.begin_iteration(time.monotonic() - intended)
        return DefaultTaskSet.get_next_task(self)

    def execute_task(self, task: Any) -> None:
        """Run a task."""
        self._in_task = True
        try:
            DefaultTaskSet.execute_task(self, task)
        finally:
            self._in_task = False
            corrected.end_iteration()

    def wait(self) -> None:
        """Wait as a task asks for; between two tasks, the next arrival ends the wait."""
        if self._in_task:
            DefaultTaskSet.wait(self)
