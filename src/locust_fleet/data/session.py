"""A worker's identity in a run: it is renewed, and notices by itself when it has expired.

No store can stop a scenario that keeps using a record after it was lent to another worker. So the
worker measures the time itself, from before it sent its last renewal, with a clock that does not
stop while the machine is suspended.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress

from gevent.lock import BoundedSemaphore

from locust_fleet.data.record_pool import RecordPool
from locust_fleet.data.source import Source
from locust_fleet.data.store import ClientIdentity, Fenced, Restarted, Store
from locust_fleet.errors import LeaseLost

# Renewals until the identity would expire: some may be lost.
RENEWALS = 5
# The part of the expiry after which it counts as expired here, as clocks differ in speed.
SAFETY_FACTOR = 0.95


class ClientSession:
    """An identity of this worker; once lost, it never becomes valid again."""

    def __init__(
        self,
        store: Store,
        run: str,
        worker: str,
        expiry_s: float,
        requests: Callable[[], int],
        counters: Mapping[str, int],
        entered: Collection[tuple[str, str]],
    ) -> None:
        """Join a run; raises StoreUnavailable.

        ``requests`` returns how many this worker has made. ``counters`` (last values) and
        ``entered`` (group, member) may change; each join reads them again.
        """
        self.store = store
        self.lost = False
        self.stopping = False
        self.pools: dict[str, RecordPool] = {}
        self._worker = worker
        self._expiry_s = expiry_s
        self._requests = requests
        self._counters = counters
        self._entered = entered
        self._reconciling = BoundedSemaphore()
        self._renewed_at = boottime()
        self.identity = self._join(run, f"{worker}:{secrets.token_hex(8)}")

    @property
    def alive(self) -> bool:
        """Whether certainly no other worker has what this identity holds."""
        if boottime() >= self._renewed_at + SAFETY_FACTOR * self._expiry_s:
            self.lost = True
        return not self.lost

    def check(self, what: str) -> None:
        """Raise LeaseLost unless it is alive."""
        if not self.alive:
            raise LeaseLost(
                f"another worker may have {what}: this worker did not renew its identity for"
                f" {self._expiry_s:g} s"
            )

    def pool(self, source: Source) -> RecordPool:
        """Return the pool of records of a source."""
        if source.name not in self.pools:
            self.pools[source.name] = RecordPool(self, source)
        return self.pools[source.name]

    def renew(self) -> None:
        """Renew the identity; raises Fenced, Restarted and StoreUnavailable."""
        if not self.alive:
            raise Fenced("the identity of this worker has expired")
        asked_at = boottime()
        try:
            self.store.renew(self.identity, self._worker, self._expiry_ms, self._requests())
        except Fenced:
            self.lost = True
            raise
        self._renewed_at = asked_at

    def reconcile(self, generation: str) -> None:
        """Join a store of a new generation again, and compare what this worker holds.

        If joining fails, the identity keeps the former generation, so the next question to the
        store raises Restarted again. Raises StoreUnavailable.
        """
        with self._reconciling:
            # Another user may have done it meanwhile.
            if self.identity.generation == generation or not self.alive:
                return
            with suppress(Fenced, Restarted):
                self.identity = self._join(self.identity.run, self.identity.name)
                for pool in self.pools.values():
                    pool.reconcile()

    def stop_waiting(self) -> None:
        """Stop the users that wait for a record: the run is stopping."""
        self.stopping = True
        for pool in self.pools.values():
            pool.reconcile()

    def leave(self) -> None:
        """Give everything back."""
        self.lost = True
        self.store.leave(self.identity.run, self.identity.name, self._worker, self._requests())

    def _join(self, run: str, name: str) -> ClientIdentity:
        expiry = self._expiry_ms
        generation = self.store.join(run, name, self._worker, expiry, self._counters)
        identity = ClientIdentity(run, name, generation)
        for group, member in sorted(self._entered):
            self.store.enter(identity, group, member)
        return identity

    @property
    def pause_s(self) -> float:
        """Seconds between two renewals."""
        return self._expiry_s / RENEWALS

    @property
    def _expiry_ms(self) -> int:
        return int(self._expiry_s * 1000)


def boottime() -> float:
    """Return seconds of a clock that is never set and does not stop while the machine sleeps."""
    # Only Linux has it; fleets run on Linux, and elsewhere data is shared within one process.
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()
