"""A body that the scenario reads part by part, after a request with stream=True."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter

from fleet_http.connection.connection import Connection
from fleet_http.errors import ResponseTooLarge
from fleet_http.response.decode import ContentDecoder


class Stream:
    """Reads a body from a connection, and calls ``done`` with the connection when it stops.

    ``done`` also gets whether the body was read to its end.
    """

    def __init__(
        self,
        connection: Connection,
        decoder: ContentDecoder | None,
        limit: int,
        done: Callable[[Connection, bool], None],
    ) -> None:
        self._connection: Connection | None = connection
        self._decoder = decoder
        self._limit = limit
        self._done = done

    def parts(self, paused: bool = True) -> Iterator[bytes]:
        """Yield the parts of the body as they come, decoded; raises HttpFailure, OSError.

        ``paused``: the scenario may take its time between two parts, so the server has the whole
        timeout for each of them.
        """
        if self._connection is not None:
            self._restart_timeout(self._connection)
        while (connection := self._connection) is not None:
            try:
                if paused:
                    self._restart_timeout(connection)
                data = connection.read_some()
                if data and self._decoder:
                    data = self._decoder.feed(data)
                    if not data:
                        continue
            except BaseException:
                self._stop(False)
                raise
            if data:
                yield data
                continue
            self._stop(True)
            if self._decoder:
                self._decoder.end()

    def read(self) -> bytes:
        """Return the rest of the body; raises ResponseTooLarge and what ``parts`` raises."""
        parts, size = [], 0
        for part in self.parts(paused=False):
            size += len(part)
            if size > self._limit:
                self.close()
                raise ResponseTooLarge(f"a response of more than {self._limit} bytes")
            parts.append(part)
        return b"".join(parts)

    @staticmethod
    def _restart_timeout(connection: Connection) -> None:
        transport = connection.transport
        transport.deadline = perf_counter() + transport.timeout

    def close(self) -> None:
        """Leave the rest of the body unread."""
        self._stop(False)

    def __del__(self) -> None:
        # Nothing refers to the stream any more, so nobody can read the rest.
        self.close()

    def _stop(self, whole: bool) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._done(connection, whole)
