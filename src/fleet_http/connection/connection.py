"""A connection that speaks HTTP/1: it reads the response of one request at a time.

llhttp (httptools) decides what a response is and where it ends. It is strict, so that no response
is taken for a part of another. Of the head it only says whether it is valid; ``response_head.py``
parses its lines when they are asked for.
"""

from __future__ import annotations

from time import perf_counter

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from fleet_http.connection.connect import Opened, Route
from fleet_http.connection.transport import Transport
from fleet_http.errors import BadResponse, ConnectionLost, ResponseTimeout, ResponseTooLarge
from fleet_http.response_head import has_framing

MAX_HEAD_BYTES = 65536
# A server that sends this much has made progress and gets the whole timeout again; a byte now and
# then is no progress.
PROGRESS_BYTES = 16384
# Interim responses (status 1xx) before the response.
MAX_INTERIM = 32

# Status, head with the status line, and the time of perf_counter() at which its last part came.
Head = tuple[int, bytes, float]


class Connection:
    """A transport with a parser; a response must be read to its end before the next request."""

    __slots__ = (
        "_early",
        "_joined",
        "_lines",
        "_messages",
        "_parser",
        "_parts",
        "_progress",
        "_read",
        "complete",
        "connect_s",
        "keep",
        "reused",
        "route",
        "silent",
        "spent",
        "tls_s",
        "transport",
    )

    def __init__(self, route: Route, opened: Opened) -> None:
        self.route = route
        self.transport: Transport = opened.transport
        self.connect_s, self.tls_s = opened.connect_s, opened.tls_s
        self.reused = False
        # Whether the response was read to its end; whether the server keeps the connection open.
        self.complete = False
        self.keep = False
        # Whether the connection must be closed afterwards, whatever the response says.
        self.spent = False
        # Whether no byte of the response has come.
        self.silent = True
        self._parser: HttpResponseParser | None = _parser(self)
        # Responses that llhttp has seen the beginning of.
        self._messages = 0
        self._parts: list[bytes] = []
        self._lines = b""
        # What came while the connection waited for 100 (Continue).
        self._early = b""
        self._read = self._progress = self._joined = 0

    # Called by llhttp.

    def on_message_begin(self) -> None:
        self._messages += 1

    def on_body(self, part: bytes) -> None:
        if not self.complete:
            self._parts.append(part)

    def on_message_complete(self) -> None:
        if not self.complete:
            self.complete = True
            # Asked now, because llhttp forgets it with the next message.
            self.keep = self._parser.should_keep_alive()  # type: ignore[union-attr]

    def begin(self, timeout_s: float, now: float) -> None:
        """Prepare for a request at ``now``; each step of its response may take ``timeout_s`` s."""
        self.complete = self.keep = False
        self.silent = True
        self._early = b""
        self._messages = 0
        self._parts = []
        self._read = self._progress = self._joined = 0
        transport = self.transport
        transport.timeout = timeout_s
        transport.deadline = now + timeout_s

    def read_head(self, bodiless: bool) -> Head:
        """Read until the head is complete; ``bodiless`` if nothing may follow it, as after HEAD.

        Raises ConnectionLost, BadResponse, ResponseTooLarge, ResponseTimeout and OSError.
        """
        transport = self.transport
        data = self._early or transport.receive()
        came = perf_counter()
        self.silent = not data
        end = data.find(b"\r\n\r\n")
        # A status of 1xx announces another response.
        if end < 0 or data[9:10] == b"1" or data[:5] != b"HTTP/":
            data, end, came = self._whole_head(data, came)
        self._lines = data[: end + 2]
        if bodiless:
            return self._read_bodiless(data, end + 4, came)
        self._read = len(data) - end
        self._parse(data)
        if self._messages > 1:
            # llhttp has the status of a response that follows.
            return int(data[9:12]), self._lines, came
        return self._parser.get_status_code(), self._lines, came  # type: ignore[union-attr]

    def is_body_wanted(self, wait_s: float) -> bool:
        """Wait ``wait_s`` seconds for 100 (Continue); a server that stays silent gets the body."""
        transport = self.transport
        deadline = transport.deadline
        transport.deadline = min(deadline, perf_counter() + wait_s)
        data = b""
        try:
            while b"\r\n\r\n" not in data:
                part = transport.receive()
                if not part or len(data) > MAX_HEAD_BYTES:
                    break
                data += part
        except ResponseTimeout:
            pass
        transport.deadline = deadline
        wanted = not data or data[9:12] == b"100"
        self._early = data.partition(b"\r\n\r\n")[2] if wanted else data
        # The server may take the next request for the body that it does not get.
        self.spent = not wanted
        return wanted

    def read_head_after(self, error: OSError, bodiless: bool) -> Head:
        """Read the head of a response that came before ``error``; raise ``error`` if none came."""
        try:
            head = self.read_head(bodiless)
        except (ConnectionLost, ConnectionError):
            raise error from None
        self.spent = True
        return head

    def read_body(self, limit: int) -> bytes:
        """Read to the end of the response and return its body.

        Raises ResponseTooLarge for more than ``limit`` bytes, and what ``read_head`` raises.
        """
        while not self.complete:
            if self._read > limit:
                raise ResponseTooLarge(f"a response of more than {limit} bytes")
            self._read_more()
        parts = self._parts
        if not parts:
            return b""
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def read_some(self) -> bytes:
        """Return the next part of the body, b"" at its end."""
        while True:
            if self._parts:
                data = b"".join(self._parts)
                self._parts.clear()
                self._joined = 0
                return data
            if self.complete:
                return b""
            self._read_more()

    def close(self) -> None:
        self.transport.close()
        # The parser refers to this object; without the cycle no garbage collection is needed.
        self._parser = None
        self._parts = []
        self._early = b""

    def _read_more(self) -> None:
        transport = self.transport
        data = transport.receive()
        if not data:
            self._end_of_stream()
            return
        self._read += len(data)
        if self._read - self._progress >= PROGRESS_BYTES:
            self._progress = self._read
            transport.deadline = perf_counter() + transport.timeout
        self._parse(data)
        parts = self._parts
        if len(parts) > self._joined + 1:
            # Small bytes objects take many times their size.
            parts[self._joined :] = [b"".join(parts[self._joined :])]
        self._joined = len(parts)

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)  # type: ignore[union-attr]
        except HttpParserUpgrade:
            # The server switches to another protocol.
            self.complete, self.keep = True, False
        except HttpParserError as error:
            if not self.complete:
                raise BadResponse(f"the response is not HTTP: {error}") from error
            self.keep = False
        if self._messages > 1:
            # A response that nobody asked for: the next one could belong to any request.
            self.complete, self.keep = True, False

    def _whole_head(self, data: bytes, came: float) -> tuple[bytes, int, float]:
        """Read until there is a head, and skip interim responses.

        Returns all bytes from the head on, the length of the head, and the time of the last part.
        """
        transport = self.transport
        if not data:
            raise ConnectionLost("the server closed the connection without a response")
        for _ in range(MAX_INTERIM):
            end = data.find(b"\r\n\r\n")
            while end < 0:
                if len(data) > MAX_HEAD_BYTES:
                    raise ResponseTooLarge(f"the head has more than {MAX_HEAD_BYTES} bytes")
                if data[:5] != b"HTTP/"[: len(data)]:
                    raise BadResponse("the response is not HTTP/1")
                more = transport.receive()
                came = perf_counter()
                if not more:
                    raise ConnectionLost("the server closed the connection within a head")
                searched = max(len(data) - 3, 0)
                data += more
                end = data.find(b"\r\n\r\n", searched)
            if data[:5] != b"HTTP/":
                raise BadResponse("the response is not HTTP/1")
            if data[9:10] != b"1" or data[9:12] == b"101":
                return data, end, came
            data = data[end + 4 :]
        raise BadResponse(f"more than {MAX_INTERIM} interim responses")

    def _read_bodiless(self, data: bytes, size: int, came: float) -> Head:
        # llhttp cannot be set to expect no body, so it gets the head alone.
        self._parse(data[:size])
        parser = self._parser
        assert parser is not None
        keep = self.keep if self.complete else parser.should_keep_alive()
        # Only the head should have come.
        self.keep = keep and len(data) == size
        status = parser.get_status_code()
        self.complete = True
        self._parts = []
        self._parser = _parser(self)
        return status, self._lines, came

    def _end_of_stream(self) -> None:
        if self._messages and not has_framing(self._lines):
            self.complete, self.keep = True, False
            return
        raise ConnectionLost("the server closed the connection in the middle of a response")


def _parser(connection: Connection) -> HttpResponseParser:
    parser = HttpResponseParser(connection)
    # Spaces after a chunk size: RFC 9112, 7.1.1 lets a recipient accept them, and requests does.
    parser.set_dangerous_leniencies(lenient_spaces_after_chunk_size=True)
    return parser
