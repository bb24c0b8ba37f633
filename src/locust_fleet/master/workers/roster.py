"""Know how many workers there should be. Pure: metrics.py looks, and tells.

A worker that dies vanishes from everywhere where workers are looked up, so only a memory of who
was there can say that one is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

# The second one comes from each worker when a run ends, followed by "client_ready".
GOODBYES = ("quit", "client_stopped")


class Roster:
    """Who is there, who is missing, and how often somebody went missing."""

    def __init__(self, on_lost: Callable[[str], None] = lambda _: None) -> None:
        self._on_lost = on_lost
        self.disconnects = 0
        self._connected: frozenset[str] = frozenset()
        self._left: set[str] = set()
        self._missing: list[str] = []

    @property
    def connected(self) -> int:
        return len(self._connected)

    @property
    def missing(self) -> int:
        return len(self._missing)

    @property
    def expected(self) -> int:
        return self.connected + self.missing

    def note_message(self, worker: str, message: str) -> None:
        """Note what a worker says: whoever says goodbye will not be missed."""
        if message in GOODBYES:
            self._left.add(worker)
        elif message == "client_ready":
            self._left.discard(worker)

    def expect(self, workers: Collection[str]) -> None:
        """Expect those who were there under the master before; who does not come is missing."""
        self._connected |= frozenset(workers)

    def update(self, connected: Collection[str]) -> None:
        """Compare those who are there now with those who were there before."""
        present = frozenset(connected)
        vanished = sorted(self._connected - present - self._left)
        self.disconnects += len(vanished)
        self._missing += vanished
        for worker in vanished:
            self._on_lost(worker)
        for worker in sorted(present - self._connected):
            self._take_a_place(worker)
        self._left &= present
        self._connected = present

    def forget_missing(self) -> None:
        """Miss nobody any more, as a run ends or another begins: without one nobody is needed."""
        self._missing.clear()

    def _take_a_place(self, worker: str) -> None:
        if worker in self._missing:
            self._missing.remove(worker)
        elif self._missing:
            del self._missing[0]
