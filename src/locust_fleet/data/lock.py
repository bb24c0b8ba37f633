"""Something that only one user of all workers may do at a time."""

from __future__ import annotations

import time
from types import TracebackType

import gevent
from gevent.local import local

from locust_fleet.data.client import DataClient
from locust_fleet.data.session import SAFE, ClientSession, boottime
from locust_fleet.errors import DataError, LeaseLost

ASK_AGAIN_S = 0.1


class Lock(local):
    """Free again when it is released, when its time is over, and when its worker is dead.

    Each user has a view of its own, so users may share one that was made at import.
    """

    def __init__(self, desk: DataClient, name: str, expiry_s: float) -> None:
        self._desk = desk
        self._name = name
        self._expiry_s = expiry_s
        self._session: ClientSession | None = None
        self._memory = ""
        self._token = 0
        self._until = 0.0

    @property
    def token(self) -> int:
        """A number larger than that of any holder before; LeaseLost when the time is over.

        A system under test that remembers the largest can refuse whoever comes too late.
        """
        self.check()
        return self._token

    def acquire(self, wait_s: float | None = None) -> bool:
        """Get the lock: wait so many seconds for it, or without end. Returns whether it is ours."""
        if self._session is not None:
            raise DataError(f"this user has the lock {self._name} already; release it first")
        deadline = None if wait_s is None else time.monotonic() + wait_s
        while True:
            began = boottime()
            session, memory, token = self._desk.ask(self._ask)
            if token:
                self._session, self._memory, self._token = session, memory, token
                self._until = began + SAFE * self._expiry_s
                return True
            if deadline is not None and time.monotonic() >= deadline:
                return False
            gevent.sleep(ASK_AGAIN_S)

    def release(self) -> bool:
        """Give the lock back; False when it was not ours any more, and is left alone."""
        session, self._session = self._session, None
        if session is None:
            return False
        holder = session.holder
        return session.store.release(holder.run, holder.name, self._name, self._token)

    def check(self) -> None:
        """Raise LeaseLost if somebody else may have the lock by now."""
        if self._session is None:
            raise DataError(f"the lock {self._name} is not held; acquire it first")
        self._session.check(f"the lock {self._name}")
        # Redis may have forgotten that it gave this lock away in its last second.
        if self._session.holder.memory != self._memory:
            raise LeaseLost(
                f"the lock {self._name} may be in other hands: Redis has started anew; acquire it"
                " again"
            )
        if boottime() >= self._until:
            raise LeaseLost(
                f"the lock {self._name} was held for longer than its {self._expiry_s:g} s;"
                " give it a longer expiry_s"
            )

    def __enter__(self) -> Lock:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            # What went wrong first is what somebody has to see.
            if error is None:
                self.check()
        finally:
            self.release()

    def _ask(self, session: ClientSession) -> tuple[ClientSession, str, int]:
        holder, expiry_ms = session.holder, int(self._expiry_s * 1000)
        return session, holder.memory, session.store.acquire(holder, self._name, expiry_ms)
