"""A lock that one user of all workers holds at a time."""

from __future__ import annotations

import time
from types import TracebackType

import gevent
from gevent.local import local

from locust_fleet.data.client import DataClient
from locust_fleet.data.session import SAFETY_FACTOR, ClientSession, boottime
from locust_fleet.errors import DataError, LeaseLost

LOCK_POLL_S = 0.1


class Lock(local):
    """Free again when it is released, when it expires, and when its worker's identity expires.

    Its state is that of one greenlet, so users may share a lock that was made at import.
    """

    def __init__(self, client: DataClient, name: str, expiry_s: float) -> None:
        self._client = client
        self._name = name
        self._expiry_s = expiry_s
        self._session: ClientSession | None = None
        self._generation = ""
        self._token = 0
        self._until = 0.0

    @property
    def token(self) -> int:
        """A number larger than the token of any former holder; raises LeaseLost as ``check`` does.

        A system under test that keeps the largest token can refuse a holder that comes too late.
        """
        self.check()
        return self._token

    def acquire(self, wait_s: float | None = None) -> bool:
        """Acquire the lock; False if that failed for ``wait_s`` seconds, None waits without end."""
        if self._session is not None:
            raise DataError(f"this user holds the lock {self._name} already; release it first")
        deadline = None if wait_s is None else time.monotonic() + wait_s
        while True:
            began = boottime()
            session, generation, token = self._client.ask(self._ask)
            if token:
                self._session, self._generation, self._token = session, generation, token
                self._until = began + SAFETY_FACTOR * self._expiry_s
                return True
            if deadline is not None and time.monotonic() >= deadline:
                return False
            gevent.sleep(LOCK_POLL_S)

    def release(self) -> bool:
        """Release the lock; False when this user did not hold it any more."""
        session, self._session = self._session, None
        if session is None:
            return False
        identity = session.identity
        return session.store.release(identity.run, identity.name, self._name, self._token)

    def check(self) -> None:
        """Raise LeaseLost if another user may hold the lock by now."""
        if self._session is None:
            raise DataError(f"the lock {self._name} is not held; acquire it first")
        self._session.check(f"the lock {self._name}")
        # Redis may have lost the last second before it restarted, and with it this lock.
        if self._session.identity.generation != self._generation:
            raise LeaseLost(
                f"another worker may hold the lock {self._name}: Redis has restarted; acquire"
                " it again"
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
            # An error of the block is the one to report.
            if error is None:
                self.check()
        finally:
            self.release()

    def _ask(self, session: ClientSession) -> tuple[ClientSession, str, int]:
        identity, expiry_ms = session.identity, int(self._expiry_s * 1000)
        return session, identity.generation, session.store.acquire(identity, self._name, expiry_ms)
