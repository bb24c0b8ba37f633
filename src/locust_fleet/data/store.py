"""The interface of a store of shared data: in Redis, in this process, or on the leader.

A worker holds records and locks under an identity, which expires unless it is renewed. An expired
identity never becomes valid again: its worker takes a new one, and what the old one held is free.

A store that restarts may have lost data, so it gets a new generation. It may have forgotten
identities that still hold records, so it lends nothing until they must have expired. That time is
its quarantine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from locust_fleet.data.source import WhenEmpty
from locust_fleet.errors import FleetError

# Until an identity expires: of a worker that reaches the store, and of a worker that asks the
# leader, which needs time for a change of leader.
EXPIRY_S = 10.0
REMOTE_EXPIRY_S = 20.0
# After it every identity that the store may have forgotten has expired.
QUARANTINE_S = REMOTE_EXPIRY_S
# A worker that has found no free record for STARVING_S gets the next one, before workers that have
# many. A worker that has not asked for GONE_S does not wait any more.
STARVING_S = 0.5
GONE_S = 1.5
# The group of the workers that take part in a run, which the store maintains by itself.
ACTIVE_WORKERS = "active_workers"


class Fenced(FleetError):
    """The identity has expired, or the store has forgotten it: take a new one."""


class Restarted(FleetError):
    """The store may have lost data: join again, and compare what it knows.

    ``generation`` is the store's new one.
    """

    def __init__(self, generation: str) -> None:
        super().__init__(generation)
        self.generation = generation


class Late(FleetError):
    """The store has carried out this question or a later one of the identity: compare."""


class Quarantined(FleetError):
    """The store is in quarantine, because it has just restarted: ask again in a moment."""


class ClientIdentity(NamedTuple):
    """An identity of a worker in a run, and the generation of the store that knows it."""

    run: str
    name: str
    generation: str


class Exchange(NamedTuple):
    """One question about a source: ids of records given back and used up, and how many are wanted.

    ``number`` grows with each question of an identity about a source. A question that nobody waits
    for any more may still reach the store, which refuses it after a later one.
    """

    give: Sequence[str]
    use_up: Sequence[str]
    want: int
    when_empty: WhenEmpty
    number: int


class Handout(NamedTuple):
    """Ids and texts of lent records; ``state`` says why there are fewer than wanted."""

    state: Literal["open", "unloaded", "used up"]
    records: Sequence[tuple[str, str]]


class Store(Protocol):
    """Each method is atomic. Times are in milliseconds.

    Each may raise StoreUnavailable, and those that take an identity Fenced or Restarted.
    """

    def open(self, run: str) -> None:
        """Begin a run without any data."""

    def join(
        self, run: str, name: str, worker: str, expiry: int, counters: Mapping[str, int]
    ) -> str:
        """Register an identity, or register it again; returns the generation of the store.

        ``counters`` are the values that the worker saw last, from which a counter continues that
        the store has lost. ``worker`` is its name as an active worker, "" for the master.
        """

    def renew(self, identity: ClientIdentity, worker: str, expiry: int, requests: int) -> None:
        """Keep an identity alive; ``requests`` is how many its worker has made in this run."""

    def leave(self, run: str, name: str, worker: str, requests: int) -> None:
        """Give back all that an identity holds, and end it."""

    def close(self, run: str) -> Mapping[str, Any]:
        """End a run; returns its counters, requests and sources for ``summary.py``."""

    def exchange(self, identity: ClientIdentity, source: str, exchange: Exchange) -> Handout:
        """Take records back, then lend some; raises Late and, if any are wanted, Quarantined."""

    def held(self, identity: ClientIdentity, source: str, number: int) -> Sequence[str]:
        """Return the ids of the records that the identity holds; ``number`` as in Exchange."""

    def put(
        self, identity: ClientIdentity, source: str, token: int, first: int, texts: Sequence[str]
    ) -> None:
        """Store records of a source that is being loaded, the first of which has the id ``first``.

        ``token`` is that of the lock under which the source is loaded.
        """

    def finish(self, identity: ClientIdentity, source: str, token: int) -> bool:
        """Make the stored records the source; False when another worker has loaded it."""

    def read_list(self, key: str, first: int, count: int) -> Sequence[str]:
        """Return elements of a list in Redis that is not part of the shared data."""

    def count(self, identity: ClientIdentity, name: str, by: int) -> int:
        """Add to a counter and return its new value; raises Quarantined."""

    def acquire(self, identity: ClientIdentity, lock: str, expiry: int) -> int:
        """Return a token larger than any before, 0 while the lock is held; raises Quarantined."""

    def release(self, run: str, name: str, lock: str, token: int) -> bool:
        """Release a lock; False when the identity does not hold it any more."""

    def enter(self, identity: ClientIdentity, group: str, member: str) -> None:
        """Make ``member`` a member of a group until the identity ends."""

    def withdraw(self, run: str, name: str, group: str, member: str) -> None:
        """Remove a member that this identity has entered."""

    def members(self, run: str, group: str) -> Sequence[str]:
        """Return the members whose identity is alive."""

    def requests(self, run: str) -> Mapping[str, int]:
        """Return how many requests each worker has made, by its last renewal."""
