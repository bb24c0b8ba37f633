"""A connection that speaks HTTP/1: writes a request, reads its answer.

llhttp (httptools) decides what an answer is and where it ends. It is strict, so that no answer is
taken for a part of another. Of the head it only tells whether it is valid; its lines are looked
at when somebody asks for them (``response/head.py``).
"""

from __future__ import annotations

from time import perf_counter

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from fleet_http.connection.connect import Opened, Route
from fleet_http.connection.transport import Transport
from fleet_http.errors import BadResponse, ConnectionLost, ResponseTimeout, ResponseTooLarge
from fleet_http.response_head import framed

HEAD_LIMIT = 65536
# A server that sends this much has made progress and gets the whole timeout again; one that
# sends a byte now and then has not.
PROGRESS = 16384
# Interim answers before the answer; beyond, it never comes.
INTERIM_LIMIT = 32


# The beginning of an answer: its status, its lines with the status line, and when it came.
Head = tuple[int, bytes, float]


class Connection:
    """One at a time asks, and reads the answer to its end before the next one may."""

    __slots__ = (
        "_begun",
        "_early",
        "_joined",
        "_lines",
        "_parser",
        "_parts",
        "_progress",
        "_read",
        "complete",
        "connect_s",
        "keep",
        "link",
        "reused",
        "route",
        "silent",
        "spent",
        "tls_s",
    )

    def __init__(self, route: Route, dialled: Opened) -> None:
        self.route = route
        self.link: Transport = dialled.link
        self.connect_s, self.tls_s = dialled.connect_s, dialled.tls_s
        self.reused = False
        # Of the present answer: whether its end was read; whether another may follow.
        self.complete = False
        self.keep = False
        # Whether it is of no use afterwards, whatever the answer says.
        self.spent = False
        # Whether no byte of the answer has come.
        self.silent = True
        self._parser: HttpResponseParser | None = _parser(self)
        self._begun = 0
        self._parts: list[bytes] = []
        self._lines = b""
        # What came while it was asked whether the body is wanted.
        self._early = b""
        self._read = self._progress = self._joined = 0

    # What llhttp calls.

    def on_message_begin(self) -> None:
        self._begun += 1

    def on_body(self, part: bytes) -> None:
        if not self.complete:
            self._parts.append(part)

    def on_message_complete(self) -> None:
        if not self.complete:
            self.complete = True
            # Only now: afterwards llhttp has forgotten what this message said.
            self.keep = self._parser.should_keep_alive()  # type: ignore[union-attr]

    def begin(self, timeout_s: float, now: float) -> None:
        """Get ready for a request whose answer has ``timeout_s`` for each step."""
        self.complete = self.keep = False
        self.silent = True
        self._early = b""
        self._begun = 0
        self._parts = []
        self._read = self._progress = self._joined = 0
        link = self.link
        link.timeout = timeout_s
        link.deadline = now + timeout_s

    def read_head(self, bodiless: bool) -> Head:
        """Read until the answer's head is complete; ``bodiless`` as after HEAD and CONNECT."""
        link = self.link
        data = self._early or link.receive()
        came = perf_counter()
        self.silent = not data
        end = data.find(b"\r\n\r\n")
        # A status of 1xx is no answer yet.
        if end < 0 or data[9:10] == b"1" or data[:5] != b"HTTP/":
            data, end, came = self._whole_head(data, came)
        self._lines = data[: end + 2]
        if bodiless:
            return self._read_bodiless(data, end + 4, came)
        self._read = len(data) - end
        self._parse(data)
        if self._begun > 1:
            # llhttp speaks of what follows.
            return int(data[9:12]), self._lines, came
        return self._parser.get_status_code(), self._lines, came  # type: ignore[union-attr]

    def is_body_wanted(self, wait_s: float) -> bool:
        """Wait for 100 (Continue); a server that says nothing within ``wait_s`` wants it, too."""
        link = self.link
        deadline = link.deadline
        link.deadline = min(deadline, perf_counter() + wait_s)
        data = b""
        try:
            while b"\r\n\r\n" not in data:
                part = link.receive()
                if not part or len(data) > HEAD_LIMIT:
                    break
                data += part
        except ResponseTimeout:
            pass
        link.deadline = deadline
        wanted = not data or data[9:12] == b"100"
        self._early = data.partition(b"\r\n\r\n")[2] if wanted else data
        # It may take what comes next for the body that it does not get.
        self.spent = not wanted
        return wanted

    def read_head_after(self, error: OSError, bodiless: bool) -> Head:
        """Read the head of an answer that came before all was sent, or raise why it was not."""
        try:
            head = self.read_head(bodiless)
        except (ConnectionLost, ConnectionError):
            raise error from None
        self.spent = True
        return head

    def read_body(self, limit: int) -> bytes:
        """Read the rest of the answer and return all of its body."""
        while not self.complete:
            if self._read > limit:
                raise ResponseTooLarge(f"an answer of more than {limit} bytes")
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
        self.link.close()
        # It holds this, too; without the circle nothing waits for the collector of garbage.
        self._parser = None
        self._parts = []
        self._early = b""

    def _read_more(self) -> None:
        link = self.link
        data = link.receive()
        if not data:
            self._end_of_stream()
            return
        self._read += len(data)
        if self._read - self._progress >= PROGRESS:
            self._progress = self._read
            link.deadline = perf_counter() + link.timeout
        self._parse(data)
        parts = self._parts
        if len(parts) > self._joined + 1:
            # Small chunks take many times their size.
            parts[self._joined :] = [b"".join(parts[self._joined :])]
        self._joined = len(parts)

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)  # type: ignore[union-attr]
        except HttpParserUpgrade:
            # What follows is another protocol.
            self.complete, self.keep = True, False
        except HttpParserError as error:
            if not self.complete:
                raise BadResponse(f"the answer is not HTTP: {error}") from error
            self.keep = False
        if self._begun > 1:
            # More than was asked for; an answer that follows could be anybody's.
            self.complete, self.keep = True, False

    def _whole_head(self, data: bytes, came: float) -> tuple[bytes, int, float]:
        """Read until there is a head, interim answers left out; returns all, its end and time."""
        link = self.link
        if not data:
            raise ConnectionLost("the server closed the connection without an answer")
        for _ in range(INTERIM_LIMIT):
            end = data.find(b"\r\n\r\n")
            while end < 0:
                if len(data) > HEAD_LIMIT:
                    raise ResponseTooLarge(f"the head has more than {HEAD_LIMIT} bytes")
                if data[:5] != b"HTTP/"[: len(data)]:
                    raise BadResponse("the answer is not HTTP/1")
                more = link.receive()
                came = perf_counter()
                if not more:
                    raise ConnectionLost("the server closed the connection within a head")
                searched = max(len(data) - 3, 0)
                data += more
                end = data.find(b"\r\n\r\n", searched)
            if data[:5] != b"HTTP/":
                raise BadResponse("the answer is not HTTP/1")
            if data[9:10] != b"1" or data[9:12] == b"101":
                return data, end, came
            data = data[end + 4 :]
        raise BadResponse(f"more than {INTERIM_LIMIT} interim answers")

    def _read_bodiless(self, data: bytes, size: int, came: float) -> Head:
        # llhttp cannot be told that no body follows, so it is asked about the head alone.
        self._parse(data[:size])
        parser = self._parser
        assert parser is not None
        keep = self.keep if self.complete else parser.should_keep_alive()
        # More than the head was not to come.
        self.keep = keep and len(data) == size
        status = parser.get_status_code()
        self.complete = True
        self._parts = []
        self._parser = _parser(self)
        return status, self._lines, came

    def _end_of_stream(self) -> None:
        if self._begun and not framed(self._lines):
            self.complete, self.keep = True, False
            return
        raise ConnectionLost("the server closed the connection in the middle of an answer")


def _parser(connection: Connection) -> HttpResponseParser:
    parser = HttpResponseParser(connection)
    # RFC 9112, 7.1.1 lets a recipient understand them, and requests does.
    parser.set_dangerous_leniencies(lenient_spaces_after_chunk_size=True)
    return parser
