"""Hand out connections to Postgres, a few at a time, and fail fast while it is away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from gevent import Timeout
from psycopg.rows import TupleRow

from locust_fleet.errors import StoreUnavailable

Connection = psycopg.Connection[TupleRow]
Connect = Callable[[], Connection]

# Eight processes of this console stay well below Postgres's hundred connections.
CONNECTIONS = 5
# No page is worth waiting longer.
PATIENCE_S = 15.0
# After a failure the next ones fail at once, so that pages stay quick while Postgres is away.
PAUSE_S = 1.0


def patience(seconds: float) -> Timeout:
    """Return a context that raises StoreUnavailable in this greenlet when it takes too long.

    A Postgres that is frozen, not gone, keeps its connections and would be waited for for ever.
    """
    return Timeout(seconds, StoreUnavailable("Postgres did not answer in time"))


class Database:
    """A connection per use: pages are few, and none can then be stale after a restart."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._places = threading.BoundedSemaphore(CONNECTIONS)
        self._failed_at = float("-inf")
        self._failure = ""

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Lend a connection in autocommit mode; raise StoreUnavailable when Postgres is away."""
        if time.monotonic() - self._failed_at < PAUSE_S:
            raise StoreUnavailable(self._failure)
        try:
            with patience(PATIENCE_S), self._places, self._connect() as connection:
                yield connection
        except StoreUnavailable as error:
            self._note(error)
            raise
        except psycopg.OperationalError as error:
            self._note(error)
            raise StoreUnavailable(f"Postgres went away: {error}") from error

    def _note(self, error: Exception) -> None:
        self._failed_at, self._failure = time.monotonic(), str(error)
