"""The body of a request, and how it is sent."""

from __future__ import annotations

import json as library
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from time import perf_counter
from typing import Any

from requests.exceptions import InvalidJSONError
from requests.models import PreparedRequest

from fleet_http.connection.transport import Transport
from fleet_http.errors import BadRequest
from fleet_http.request.files import content_of, shared
from fleet_http.request.multipart import Segment, multipart

FORM = "application/x-www-form-urlencoded"
# As in requests: a value that JSON cannot express is an error; it is not sent as NaN.
_encode = library.JSONEncoder(allow_nan=False).encode


class Bytes:
    """A body in memory, as most are; a small one is sent together with the head."""

    __slots__ = ("data", "kind", "text")

    def __init__(self, data: bytes, kind: str | None = None, text: bool = False) -> None:
        self.data = data
        # Whether requests would show it as text.
        self.text = text
        # The Content-Type, None for no such header.
        self.kind = kind

    @property
    def framing(self) -> bytes:
        return b"Content-Length: %d\r\n" % len(self.data)

    def send(self, transport: Transport) -> None:
        transport.send(self.data)


class Segments:
    """A body of bytes and files in sequence, whose length is known before it is sent."""

    data = None

    def __init__(self, segments: list[Segment], kind: str | None = None) -> None:
        self._segments = segments
        self.kind = kind
        self.length = sum(
            len(segment) if isinstance(segment, bytes) else segment[0].size - segment[1]
            for segment in segments
        )

    @property
    def framing(self) -> bytes:
        return b"Content-Length: %d\r\n" % self.length

    def send(self, transport: Transport) -> None:
        for segment in self._segments:
            if isinstance(segment, bytes):
                transport.send(segment)
            else:
                segment[0].send(transport, segment[1])


class Chunks:
    """A body from an iterator, which can be sent once."""

    data = None
    kind = None
    framing = b"Transfer-Encoding: chunked\r\n"

    def __init__(self, parts: Iterable[bytes | str]) -> None:
        self._parts: Iterator[bytes | str] | None = iter(parts)

    def send(self, transport: Transport) -> None:
        parts, self._parts = self._parts, None
        if parts is None:
            raise BadRequest("a body from an iterator cannot be sent a second time")
        for part in parts:
            data = part.encode() if isinstance(part, str) else part
            # The server has the whole timeout again after the time that the iterator took.
            transport.deadline = perf_counter() + transport.timeout
            if data:
                transport.send(b"%x\r\n%b\r\n" % (len(data), data))
        transport.send(b"0\r\n\r\n")


Body = Bytes | Segments | Chunks


def body_of(data: Any, json: Any, files: Any = None) -> Body | None:
    """Return the body for ``data``, ``json`` and ``files`` of requests, None for none.

    Raises OSError, InvalidJSONError, ValueError and TypeError as requests does.
    """
    if files:
        return Segments(*multipart(data, files))
    if isinstance(data, (bytes, bytearray, memoryview)):
        return Bytes(bytes(data)) if data else _json_body(json)
    if isinstance(data, str):
        return Bytes(data.encode("utf-8"), text=True) if data else _json_body(json)
    if isinstance(data, Path) or hasattr(data, "read"):
        found = shared(data)
        return Segments([found]) if found else Bytes(content_of(data))
    if hasattr(data, "__iter__") and not isinstance(data, (list, tuple, Mapping)):
        return Chunks(data)
    if not data:
        return _json_body(json)
    form = PreparedRequest._encode_params(data)  # type: ignore[attr-defined]
    return Bytes(form if isinstance(form, bytes) else form.encode("utf-8"), FORM, text=True)


def _json_body(value: Any) -> Bytes | None:
    if value is None:
        return None
    try:
        return Bytes(_encode(value).encode("utf-8"), "application/json")
    except ValueError as error:
        raise InvalidJSONError(f"json= is not JSON: {error}") from error
