"""What a store of shared data can do, wherever it is: in Redis, in this process, behind the leader.

Whatever a worker holds, it holds under an identity that expires unless it is renewed. An identity
that has expired never comes back: its worker takes a new one, and what the old one held is free.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from locust_fleet.data.source import WhenEmpty
from locust_fleet.errors import FleetError

# An identity of a worker that reaches the store itself, and of one that asks the leader, which
# may be another one after a while.
EXPIRY_S = 10.0
LINK_EXPIRY_S = 20.0
# A store that lost its memory, or part of it, gives nothing away before every identity that it
# may have forgotten has expired.
HOLD_S = LINK_EXPIRY_S
# A worker that has asked in vain for so long gets the next record, though others have many; one
# that has not asked for so long does not wait any more.
STARVING_S = 0.5
GONE_S = 1.5
# Names of the workers that take part in a run, which is kept without anybody's doing.
ACTIVE_WORKERS = "active_workers"


class Fenced(FleetError):
    """The identity has expired or was forgotten: take a new one."""


class Restarted(FleetError):
    """The store may have forgotten something: join again, and compare what it knows.

    Its memory is called ``memory`` now.
    """

    def __init__(self, memory: str) -> None:
        super().__init__(memory)
        self.memory = memory


class Late(FleetError):
    """A later question of this identity was carried out, or this one twice: compare."""


class OnHold(FleetError):
    """The store has just lost its memory; ask again in a moment."""


class ClientIdentity(NamedTuple):
    """An identity of a worker in a run, and the memory of the store in which it is known."""

    run: str
    name: str
    memory: str


class Exchange(NamedTuple):
    """What a worker wants of a source, and what it gives back, in one question.

    ``number`` grows with each question of an identity about a source. One that nobody waits for any
    more may still reach the store, which refuses it once it has carried out a later one.
    """

    give: Sequence[str]
    use_up: Sequence[str]
    want: int
    when_empty: WhenEmpty
    number: int


class Handout(NamedTuple):
    """The answer: ids and texts of records. ``state`` says why there are fewer than wanted."""

    state: Literal["open", "unloaded", "used up"]
    records: Sequence[tuple[str, str]]


class Store(Protocol):
    """Each method is one step that happens as a whole. Times are in milliseconds.

    Any may raise StoreUnavailable, and those that take a holder Fenced or Restarted.
    """

    def open(self, run: str) -> None:
        """Begin a run with nothing in it."""

    def join(
        self, run: str, name: str, worker: str, expiry: int, counters: Mapping[str, int]
    ) -> str:
        """Make an identity known, also one that is known already; returns the memory of the store.

        A counter that the store has forgotten goes on from what the worker saw last. Without
        a name for the worker, as the master has none, it is no active worker.
        """

    def renew(self, holder: ClientIdentity, worker: str, expiry: int, requests: int) -> None:
        """Keep an identity alive; ``requests`` is what its worker has made in this run."""

    def leave(self, run: str, name: str, worker: str, requests: int) -> None:
        """Give everything back, at the end of an identity."""

    def close(self, run: str) -> Mapping[str, Any]:
        """End a run; returns its counters, requests and sources, to be summed up."""

    def exchange(self, holder: ClientIdentity, source: str, order: Exchange) -> Handout:
        """Take back, then hand out; OnHold after the loss of memory, Late as Order says."""

    def held(self, holder: ClientIdentity, source: str, number: int) -> Sequence[str]:
        """Return the ids of the records that the identity holds; ``number`` is as in Order."""

    def put(
        self, holder: ClientIdentity, source: str, token: int, first: int, texts: Sequence[str]
    ) -> None:
        """Lay down records of a source that is being loaded, the first of them number ``first``."""

    def finish(self, holder: ClientIdentity, source: str, token: int) -> bool:
        """Let what was laid down be the source; False when somebody else has loaded it."""

    def read_list(self, key: str, first: int, count: int) -> Sequence[str]:
        """Return elements of a list of somebody else's in Redis."""

    def count(self, holder: ClientIdentity, name: str, by: int) -> int:
        """Add to a counter and return what it is now; OnHold after the loss of memory."""

    def acquire(self, holder: ClientIdentity, lock: str, expiry: int) -> int:
        """Return a token, larger than any before, or 0 while somebody else has the lock."""

    def release(self, run: str, name: str, lock: str, token: int) -> bool:
        """Give a lock back if it is still this one's."""

    def enter(self, holder: ClientIdentity, group: str, member: str) -> None:
        """Be a member of a group as long as the identity lives."""

    def withdraw(self, run: str, name: str, group: str, member: str) -> None:
        """Be no member any more."""

    def members(self, run: str, group: str) -> Sequence[str]:
        """Return the members whose identity lives."""

    def requests(self, run: str) -> Mapping[str, int]:
        """Return what each worker said last of the requests that it has made."""
