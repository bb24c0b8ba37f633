"""Lend connections to Postgres, a few at a time, and fail at once while Postgres is away."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from gevent import Timeout

from locust_fleet.errors import StoreUnavailable
from locust_fleet.runtime.postgres import Connect, Connection

# Eight processes of the console stay well below the hundred connections of Postgres.
MOST_CONNECTIONS = 5
# For a page: nobody waits longer for one.
POSTGRES_TIMEOUT_S = 15.0
# For so long after a failure, connections fail without a try, so that pages stay quick.
FAILURE_PAUSE_S = 1.0


def postgres_timeout(seconds: float) -> Timeout:
    """Return a context that raises StoreUnavailable in this greenlet when the time is over.

    A Postgres that is frozen keeps its connections open, and would block the greenlet for ever.
    """
    return Timeout(seconds, StoreUnavailable("Postgres did not answer in time"))


class Database:
    """Opens a connection for each use: pages are few, and none gets one that a restart broke."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._free = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self._failed_at = float("-inf")
        self._failure = ""

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Lend a connection in autocommit mode; raises StoreUnavailable when Postgres is away."""
        if time.monotonic() - self._failed_at < FAILURE_PAUSE_S:
            raise StoreUnavailable(self._failure)
        try:
            with postgres_timeout(POSTGRES_TIMEOUT_S), self._free, self._connect() as connection:
                yield connection
        except StoreUnavailable as error:
            self._note(error)
            raise
        except psycopg.OperationalError as error:
            self._note(error)
            raise StoreUnavailable(f"the connection to Postgres broke: {error}") from error

    def _note(self, error: Exception) -> None:
        self._failed_at, self._failure = time.monotonic(), str(error)
