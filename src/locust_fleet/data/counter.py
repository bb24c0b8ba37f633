"""A number that grows over all workers."""

from __future__ import annotations

from locust_fleet.data.client import DataClient


class Counter:
    """Begins at 0 in each run. No two users ever get the same number from it."""

    def __init__(self, desk: DataClient, name: str) -> None:
        self._desk = desk
        self._name = name

    def next(self) -> int:
        """Return the next number, 1 at first. One may be left out when Redis was away."""
        return self.add(1)

    def add(self, amount: int) -> int:
        """Add to the counter; returns what it is then."""
        value = self._desk.ask(
            lambda session: session.store.count(session.holder, self._name, amount)
        )
        known = self._desk.counted
        known[self._name] = max(value, known.get(self._name, 0))
        return value

    @property
    def value(self) -> int:
        """What it is now."""
        return self.add(0)
