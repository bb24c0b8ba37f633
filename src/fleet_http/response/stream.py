"""A body that is read while the scenario goes on: what stream=True leaves to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter

from fleet_http.connection.connection import Connection
from fleet_http.errors import ResponseTooLarge
from fleet_http.response.decode import Decoding


class Stream:
    """Reads from a connection, and gives it back or closes it when it is done."""

    def __init__(
        self,
        connection: Connection,
        decoding: Decoding | None,
        limit: int,
        done: Callable[[Connection, bool], None],
    ) -> None:
        self._connection: Connection | None = connection
        self._decoding = decoding
        self._limit = limit
        self._done = done

    def parts(self, paused: bool = True) -> Iterator[bytes]:
        """Return what comes, decoded, as it comes; raises like a request that fails.

        ``paused``: the scenario has the time between two parts, which is not the server's.
        """
        if self._connection is not None:
            self._renew(self._connection)
        while (connection := self._connection) is not None:
            try:
                if paused:
                    self._renew(connection)
                data = connection.read_some()
                if data and self._decoding:
                    data = self._decoding.feed(data)
                    if not data:
                        continue
            except BaseException:
                self._leave(False)
                raise
            if data:
                yield data
                continue
            self._leave(True)
            if self._decoding:
                self._decoding.end()

    def read(self) -> bytes:
        """Return all that is left; raises ResponseTooLarge beside the others."""
        parts, size = [], 0
        for part in self.parts(paused=False):
            size += len(part)
            if size > self._limit:
                self.close()
                raise ResponseTooLarge(f"an answer of more than {self._limit} bytes")
            parts.append(part)
        return b"".join(parts)

    @staticmethod
    def _renew(connection: Connection) -> None:
        connection.link.deadline = perf_counter() + connection.link.timeout

    def close(self) -> None:
        """Read no more."""
        self._leave(False)

    def __del__(self) -> None:
        # Nobody can read the rest any more.
        self.close()

    def _leave(self, whole: bool) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._done(connection, whole)
