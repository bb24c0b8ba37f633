"""However a response is cut into parts on its way, it is the same response."""

from typing import Any

import pytest
import requests.exceptions
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.fuzz import examples

from fleet_http.connection.connect import Opened, Route
from fleet_http.connection.connection import MAX_HEAD_BYTES, Connection
from fleet_http.connection.tls_transport import TlsConfig
from fleet_http.response_head import ResponseHeaders, pairs, reason
from fleet_http.urls import Origin

ROUTE = Route(Origin("http", "shop", 80), TlsConfig())
LIMIT = 10 * MAX_HEAD_BYTES


class Parts:
    """A transport through which a response comes in given parts, and then its end."""

    deadline = timeout = 0.0

    def __init__(self, parts: list[bytes]) -> None:
        self._parts = parts

    def receive(self) -> bytes:
        return self._parts.pop(0) if self._parts else b""

    def close(self) -> None:
        pass


def read(parts: list[bytes], bodiless: bool = False) -> tuple[Any, ...]:
    """Return what the response is: status, headers, body, whether the connection is of use."""
    transport: Any = Parts([part for part in parts if part])
    connection = Connection(ROUTE, Opened(transport, 0.0, 0.0))
    connection.begin(1.0, 0.0)
    try:
        status, lines, _ = connection.read_head(bodiless)
        body = connection.read_body(LIMIT)
    except requests.exceptions.RequestException as error:
        return (type(error),)
    return status, list(pairs(lines)), body, connection.keep


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places})
    return [data[a:b] for a, b in zip([0, *ends], [*ends, len(data)], strict=True)]


TOKEN = st.text("abcXYZ-0", min_size=1, max_size=8).map(lambda text: f"X-{text}".encode())
VALUE = st.text("ab ;=,\xe4\t", max_size=12).map(lambda text: text.strip(" \t").encode("latin-1"))
BODY = st.binary(max_size=300)


@st.composite
def responses(draw: st.DrawFn) -> bytes:
    """Return responses of all framings, with interim ones before them, whole and cut short."""
    interim = draw(
        st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 E\r\n\r\n"])
    )
    version = draw(st.sampled_from([b"1.1", b"1.0"]))
    status = draw(st.sampled_from([200, 204, 304, 404, 500]))
    lines = [b"%b: %b" % line for line in draw(st.lists(st.tuples(TOKEN, VALUE), max_size=4))]
    body = draw(BODY)
    framing = draw(st.sampled_from(["length", "chunked", "end"]))
    if framing == "length":
        lines.append(b"Content-Length: %d" % len(body))
    elif framing == "chunked":
        lines.append(b"Transfer-Encoding: chunked")
        size = draw(st.integers(1, 50))
        chunks = [body[start : start + size] for start in range(0, len(body), size)]
        body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    head = b"\r\n".join([b"HTTP/%b %d Word" % (version, status), *lines])
    whole = b"%b%b\r\n\r\n%b" % (interim, head, body)
    return whole[: draw(st.integers(0, len(whole)))] if draw(st.booleans()) else whole


PLACES = st.lists(st.integers(0, 2000), max_size=8)


@settings(max_examples=examples(400), deadline=None)
@given(responses(), PLACES, st.booleans())
def test_a_response_is_the_same_however_it_is_cut(
    data: bytes, places: list[int], bodiless: bool
) -> None:
    whole, parted = read([data], bodiless), read(cut(data, places), bodiless)

    # What comes beyond a response is only seen if it comes with it; the pool sees the rest.
    assert parted[:3] == whole[:3]


@settings(max_examples=examples(200), deadline=None)
@given(st.binary(max_size=200), PLACES)
def test_bytes_at_random_are_a_response_or_a_failure_and_nothing_else(
    data: bytes, places: list[int]
) -> None:
    begun = b"HTTP/1.1 200 OK\r\n" + data

    assert len(read(cut(begun, places))) in (1, 4)
    assert read(cut(data, places))[0] is not None


@given(BODY, st.integers(1, 60))
def test_a_chunked_body_is_put_together(body: bytes, size: int) -> None:
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    text = b"".join(b"%X;x=y\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

    assert read([head, text, b"0\r\nTrailer: t\r\n\r\n"])[2:] == (body, True)


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Length: 2\r\nContent-Length: 3",
        b"Content-Length: 2\r\nTransfer-Encoding: chunked",
        b"Content-Length: +2",
        b"Content-Length: 99999999999999999999",
        b"Bad Name: 1",
        b"A: 1\r\n continued",
        b"A: \0",
    ],
)
def test_a_response_that_could_be_read_in_two_ways_is_none(lines: bytes) -> None:
    assert len(read([b"HTTP/1.1 200 OK\r\n%b\r\n\r\nok" % lines])) == 1


@pytest.mark.parametrize(
    "data", [b"HTTP/1.1  200 OK\r\n\r\n", b"HTTP/1.1 20 OK\r\n\r\n", b"\r\n\r\n"]
)
def test_a_status_line_that_is_none_is_a_failure(data: bytes) -> None:
    assert len(read([data])) == 1


def test_what_follows_a_response_makes_its_connection_useless() -> None:
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    assert read([ok])[2:] == (b"ok", True)
    assert read([ok + b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"])[2:] == (b"ok", False)
    assert read([ok + b"!"])[2:] == (b"ok", False)


def test_headers_are_joined_and_found_in_any_case() -> None:
    headers = ResponseHeaders(b"HTTP/1.1 200 Very  Well\r\nA: 1\r\nb:2 \r\na: 3\r\n")

    assert (headers["a"], headers["B"], list(headers)) == ("1, 3", "2", ["A", "b"])
    assert reason(b"HTTP/1.1 200 Very Well\r\n") == "Very Well"
    assert reason(b"HTTP/1.1 200\r\n") == ""
