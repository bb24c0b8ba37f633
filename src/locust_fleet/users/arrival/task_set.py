"""Let users of an open model begin a task when it arrives, instead of when the last one is over.

Locust 2.47.0 (``User.run``) makes a task set that begins at once and sleeps after each task. Here
such a user asks for its next task when one arrives; a user of any other kind is as it was.
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
    """From now on, users with a pool wait there for each iteration."""
    replace(users, "DefaultTaskSet", task_set_of)


def task_set_of(user: User) -> DefaultTaskSet:
    """Return what runs the tasks of a user."""
    arrivals = getattr(type(user), "arrivals", None)
    pool_of = getattr(arrivals, "pool_of", None)
    return Iterations(user, pool_of(type(user))) if pool_of else DefaultTaskSet(user)


class Iterations(DefaultTaskSet):
    """One task for each arrival."""

    def __init__(self, user: User, pool: UserPool) -> None:
        super().__init__(user)
        self._pool = pool
        self._in_task = False

    def get_next_task(self) -> Any:
        """Return a task, when there is an arrival to do it for."""
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
        """Think, where a task asks for it; between tasks, what arrives decides."""
        if self._in_task:
            DefaultTaskSet.wait(self)
