"""The arrivals of all user classes in this process during a run."""

from __future__ import annotations

from locust import User
from locust.env import Environment

from collections.abc import Callable, Mapping

import gevent

from locust_fleet.users.arrival.arrival_timer import ArrivalTimer
from locust_fleet.users.arrival.pool import UserPool
from locust_fleet.users.arrival.rate import ArrivalRate
from locust_fleet.users.arrival.schedule import Part, Timeline
from locust_fleet.users.arrival.shape import Ramps


class Engine:
    """Begins iterations of users by the timeline of their class."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._metronomes: dict[str, ArrivalTimer] = {}
        self._greenlets = gevent.pool.Group()

    @property
    def runs(self) -> bool:
        """Whether a timeline has begun and not ended."""
        return bool(self._metronomes)

    @property
    def over(self) -> bool:
        """Whether the last stage of every class is over."""
        return self.runs and all(each.over for each in self._metronomes.values())

    @property
    def has_part(self) -> bool:
        """Whether this process has a part of the arrivals, now or later."""
        return any(each.has_part for each in self._metronomes.values())

    def begin(
        self, ramps: Mapping[str, Ramps], began: Callable[[], float], position: float
    ) -> None:
        """Join the timelines of ``ramps`` at a position; there are no arrivals before ``change``.

        ``ramps`` is by user class. ``began`` returns when the timelines began (monotonic seconds),
        and ``position`` is in seconds from then.
        """
        for name, pool in self._pools().items():
            if name in ramps:
                metronome = ArrivalTimer(Timeline(ramps[name]), pool, began, position)
                self._metronomes[name] = metronome
                self._greenlets.spawn(metronome.run)

    def change(self, parts: Mapping[str, Part]) -> None:
        """Change this process's part of the arrivals, by user class."""
        for name, part in parts.items():
            if name in self._metronomes:
                self._metronomes[name].change(part)

    def end(self) -> None:
        """End all arrivals, and drop those that wait for a user."""
        self._greenlets.kill(block=False)
        self._metronomes.clear()
        for pool in self._pools().values():
            pool.give_up()

    def take_counts(self) -> dict[str, tuple[int, int]]:
        """Return arrivals and dropped arrivals since the last call, by user class; only if any."""
        counts = {name: pool.take_counts() for name, pool in self._pools().items()}
        return {name: count for name, count in counts.items() if any(count)}

    def _pools(self) -> dict[str, UserPool]:
        return {
            user.__name__: arrivals.pool_of(user)
            for user, arrivals in open_classes(self._environment).items()
        }


def open_classes(environment: Environment) -> dict[type[User], ArrivalRate]:
    """Return the user classes of a test that have an ArrivalRate."""
    found = {user: getattr(user, "arrivals", None) for user in environment.user_classes}
    return {user: each for user, each in found.items() if isinstance(each, ArrivalRate)}
