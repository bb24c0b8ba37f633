"""A number that all workers count up."""

from __future__ import annotations

from locust_fleet.data.client import DataClient


class Counter:
    """Begins at 0 in each run. No two users ever get the same number from it."""

    def __init__(self, client: DataClient, name: str) -> None:
        self._client = client
        self._name = name

    def next(self) -> int:
        """Return the next number, 1 at first; numbers may be skipped when Redis was unavailable."""
        return self.add(1)

    def add(self, amount: int) -> int:
        """Add to the counter and return its new value."""
        value = self._client.ask(
            lambda session: session.store.count(session.identity, self._name, amount)
        )
        known = self._client.counted
        known[self._name] = max(value, known.get(self._name, 0))
        return value

    @property
    def value(self) -> int:
        """The current value."""
        return self.add(0)
