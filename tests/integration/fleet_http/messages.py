"""Answers as HTTP/1.1 allows them (RFC 9110, 9112), made up by hypothesis."""

from __future__ import annotations

import string
from dataclasses import dataclass

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

TOKEN = "!#$%&'*+-.^_`|~" + string.digits + string.ascii_letters
VISIBLE = "".join(map(chr, (*range(0x21, 0x7F), *range(0x80, 0x100))))
# They say how the message is to be read, which is what the generator decides itself.
SPOKEN_FOR = (
    *("connection", "content-length", "transfer-encoding", "content-encoding", "upgrade"),
    *("keep-alive", "proxy-connection", "trailer", "location", "te"),
)


@dataclass(frozen=True)
class Message:
    """An answer, and whether another one may follow on its connection."""

    data: bytes
    stays: bool


def text(first: str, more: str, most: int) -> SearchStrategy[str]:
    """Return texts that begin and end with ``first``."""
    ends = st.text(first, min_size=1, max_size=1)
    middle = st.text(more, max_size=most)
    return st.builds("{}{}{}".format, ends, middle, ends) | ends | st.just("")


names = st.text(TOKEN, min_size=1, max_size=12).filter(lambda name: name.lower() not in SPOKEN_FOR)
values = text(VISIBLE, VISIBLE + " \t", 20)
blanks = st.text(" \t", max_size=2)
fields = st.builds("{}:{}{}{}\r\n".format, names, blanks, values, blanks)
heads = st.lists(fields, max_size=6).map("".join)
reasons = text(VISIBLE, VISIBLE + " \t", 20)
statuses = st.integers(200, 599)
versions = st.sampled_from(["HTTP/1.1", "HTTP/1.1", "HTTP/1.0"])
bodies = st.binary(max_size=300)
extensions = st.sampled_from(["", ";a", ";a=b", ';a="b;\\"c"', ";a=1;b=2"])
interim = st.sampled_from(
    ["", "", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 100 \r\nX: y\r\n\r\n"]
)


@st.composite
def chunked(draw: st.DrawFn) -> bytes:
    """Return a chunked body with its end."""
    parts = draw(st.lists(st.binary(min_size=1, max_size=40), max_size=6))
    data = b""
    for part in parts:
        size = draw(st.sampled_from(["{:x}", "{:X}", "000{:x}"])).format(len(part))
        data += f"{size}{draw(extensions)}\r\n".encode() + part + b"\r\n"
    last = draw(st.sampled_from(["0", "000"])) + draw(extensions)
    return data + f"{last}\r\n{draw(heads)}\r\n".encode("latin-1")


@st.composite
def messages(draw: st.DrawFn, method: str) -> Message:
    """Return an answer to a request of the method."""
    version, status = draw(versions), draw(statuses)
    head = f"{version} {status} {draw(reasons)}\r\n{draw(heads)}"
    body = draw(bodies)
    # After 304, http.client waits for chunks that do not come.
    chunks = version == "HTTP/1.1" and status not in (204, 304)
    kinds = ["length", "close", *(["chunked"] if chunks else [])]
    kind = draw(st.sampled_from(kinds))
    ends = draw(st.booleans())
    if kind == "length":
        head += f"{draw(st.sampled_from(['Content-Length', 'content-length']))}: {len(body)}\r\n"
    elif kind == "chunked":
        head += f"Transfer-Encoding: {draw(st.sampled_from(['chunked', 'Chunked']))}\r\n"
        body = draw(chunked())
    bodiless = method == "HEAD" or status in (204, 304)
    if bodiless:
        body = b""
    elif kind == "close":
        ends = True
    if ends:
        head += "Connection: close\r\n"
    elif version == "HTTP/1.0":
        head += "Connection: keep-alive\r\n"
    data = f"{draw(interim)}{head}\r\n".encode("latin-1") + body
    return Message(data, stays=not ends)


# What a message is made of, and what it is not.
PIECES = (
    *(b"\r\n", b"\n", b"\r", b"\r\n\r\n", b" ", b":", b"\x00", b"\xff", b"0\r\n\r\n", b"5\r\n"),
    *(b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 204 \r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
    *(b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n"),
    *(b"Content-Encoding: gzip\r\n", b"Location: /message\r\n", b"Set-Cookie: a=1\r\n"),
)
# Headers that a client acts upon.
ACTIVE = (
    *("Set-Cookie", "Location", "Content-Type", "Content-Encoding", "Connection", "Keep-Alive"),
    *("Transfer-Encoding", "Content-Length", "Trailer", "Upgrade", "WWW-Authenticate", "Date"),
    *("Link", "Refresh", "Retry-After", "Alt-Svc", "Strict-Transport-Security", "ETag", "Age"),
)
# Beginnings of values that lead somewhere.
LEADS = (
    *("", "a=b; Domain=", "a=b; Expires=", "a=b; Max-Age=", "a=b; Path=", "http://", "https://a"),
    *("//", "http://[", "/", "?", "#", "text/plain; charset=", "gzip, ", "br", "zstd", "deflate"),
    *("chunked, ", "1", "keep-alive, ", "timeout=", "application/json;charset="),
)


@st.composite
def nonsense(draw: st.DrawFn) -> Message:
    """Return an answer in which something is missing, doubled, or where it should not be."""
    data = draw(messages("GET")).data
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 12)))
        new = draw(st.sampled_from(PIECES) | st.binary(max_size=4) | st.just(data[start:end] * 2))
        data = data[:start] + new + data[end:]
    return Message(data, stays=False)


@st.composite
def strange_heads(draw: st.DrawFn) -> Message:
    """Return an answer whose headers are well-formed, and mean anything."""
    status = draw(st.sampled_from([200, 204, 301, 302, 303, 307, 308, 401, 407, 206, 304, 426]))
    lines = draw(st.lists(st.tuples(st.sampled_from(ACTIVE), st.sampled_from(LEADS), values)))
    head = "".join(f"{name}: {lead}{value}\r\n" for name, lead, value in lines)
    data = f"HTTP/1.1 {status} OK\r\n{head}\r\n".encode("latin-1") + draw(bodies)
    return Message(data, stays=False)
