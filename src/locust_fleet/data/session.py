"""This worker in a run: an identity that is renewed, and knows by itself when it has expired.

No store can stop a scenario that goes on with a record which was given to somebody else. So the
worker counts the time itself, from before it last asked for more, on a clock that goes on while
the machine is suspended.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress

from gevent.lock import BoundedSemaphore

from locust_fleet.data.pool import RecordPool
from locust_fleet.data.source import Source
from locust_fleet.data.store import ClientIdentity, Fenced, Restarted, Store
from locust_fleet.errors import LeaseLost

# Of the expiry: several may go unheard.
RENEWALS = 5
# Two clocks never go equally fast.
SAFE = 0.95


class ClientSession:
    """An identity of this worker; once lost, for good."""

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
        """Join a run; raises StoreUnavailable where there is nobody to tell.

        How far counters got here, and which groups were entered, is read again whenever a store
        has to be told.
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
        self._one_at_a_time = BoundedSemaphore()
        self._asked = boottime()
        self.holder = self._join(run, f"{worker}:{secrets.token_hex(8)}")

    @property
    def alive(self) -> bool:
        """Whether what it holds is certainly held by nobody else."""
        if boottime() >= self._asked + SAFE * self._expiry_s:
            self.lost = True
        return not self.lost

    def check(self, what: str) -> None:
        """Raise LeaseLost unless it is alive."""
        if not self.alive:
            raise LeaseLost(
                f"{what} may be in other hands: this worker was silent for {self._expiry_s:g} s"
            )

    def pool(self, source: Source) -> RecordPool:
        """Return the way to the records of a source."""
        if source.name not in self.pools:
            self.pools[source.name] = RecordPool(self, source)
        return self.pools[source.name]

    def renew(self) -> None:
        """Stay alive; raises Fenced, Restarted and StoreUnavailable."""
        if not self.alive:
            raise Fenced("the identity of this worker has expired")
        asked = boottime()
        try:
            self.store.renew(self.holder, self._worker, self._expiry_ms, self._requests())
        except Fenced:
            self.lost = True
            raise
        self._asked = asked

    def doubt(self, memory: str) -> None:
        """Tell a store that started anew what it may have forgotten, and compare what is held.

        Until that is done, the memory is the former one, so that the next question begins it again.
        """
        with self._one_at_a_time:
            # Somebody else may have been quicker.
            if self.holder.memory == memory or not self.alive:
                return
            with suppress(Fenced, Restarted):
                self.holder = self._join(self.holder.run, self.holder.name)
                for pool in self.pools.values():
                    pool.doubt()

    def stop_waiting(self) -> None:
        """Let nobody wait for a record any more: the run is stopping."""
        self.stopping = True
        for pool in self.pools.values():
            pool.doubt()

    def leave(self) -> None:
        """Give everything back."""
        self.lost = True
        self.store.leave(self.holder.run, self.holder.name, self._worker, self._requests())

    def _join(self, run: str, name: str) -> ClientIdentity:
        expiry = self._expiry_ms
        memory = self.store.join(run, name, self._worker, expiry, self._counters)
        holder = ClientIdentity(run, name, memory)
        for group, member in sorted(self._entered):
            self.store.enter(holder, group, member)
        return holder

    @property
    def pause_s(self) -> float:
        """How long until it is time for the next renewal."""
        return self._expiry_s / RENEWALS

    @property
    def _expiry_ms(self) -> int:
        return int(self._expiry_s * 1000)


def boottime() -> float:
    """Return seconds of a clock that nobody sets and that does not stop with the machine."""
    # Linux alone has it; elsewhere there is one process, which shares with nobody.
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()
