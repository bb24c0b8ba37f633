"""Know which workers are connected, and how many are missing. Pure.

A worker that dies vanishes from every list of workers, so only comparing with an earlier list shows
that it is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

# Every worker sends the second one when a run ends, and "client_ready" after it.
GOODBYES = ("quit", "client_stopped")


class Roster:
    """The connected workers, the missing ones, and how often one went missing."""

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
        """Note the type of a worker's message; one that says goodbye does not count as missing."""
        if message in GOODBYES:
            self._left.add(worker)
        elif message == "client_ready":
            self._left.discard(worker)

    def expect(self, workers: Collection[str]) -> None:
        """Expect the workers of the previous leader: those that do not connect count as missing."""
        self._connected |= frozenset(workers)

    def update(self, connected: Collection[str]) -> None:
        """Take the ids of the connected workers; count those that vanished as missing."""
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
        """Count no worker as missing any more, because a run starts or ends."""
        self._missing.clear()

    def _take_a_place(self, worker: str) -> None:
        if worker in self._missing:
            self._missing.remove(worker)
        elif self._missing:
            del self._missing[0]
