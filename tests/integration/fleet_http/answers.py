"""What the recording server answers, by the path that it is asked."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from tests.integration.fleet_http.request import Request

TEXT = "Grüße aus dem Test. " * 50
BODY = TEXT.encode()
# What `zstd -19` and brotli make of it; Python has modules for neither.
ZSTD = bytes.fromhex(
    "28b52ffd0468f50000b04772c3bcc39f65206175732064656d20546573742e20010066c87f3601fe5219b5"
)
BROTLI = bytes.fromhex(
    "1b4b04f82d0eeca61fd3736ebb2cad5790ba6c58ee687df22655185983b8d0d5adb6b9a8304a20fcbda137b800"
)


@dataclass(frozen=True)
class Answer:
    """Bytes to send, and pauses in s between them."""

    parts: tuple[bytes | float, ...]
    goes_on: bool = True


def answer_to(request: Request) -> Answer:
    """Return what a request gets; a path that nobody knows gets a greeting."""
    first = request.path.strip("/").partition("/")[0]
    if first in WIRE:
        raw = WIRE[first]
        return Answer((raw,), goes_on=b"close" not in raw and not raw.startswith(b"HTTP/1.0"))
    make = PATHS.get(first)
    if make is not None:
        return make(request)
    return plain(request, 200, b"hello")


def plain(request: Request, status: int, body: bytes, *headers: tuple[str, str]) -> Answer:
    """Return an answer with a length."""
    lines = [f"HTTP/1.1 {status} Some reason"]
    if not any(name == "Content-Type" for name, _ in headers):
        lines.append("Content-Type: text/plain; charset=utf-8")
    lines += [f"{name}: {value}" for name, value in headers]
    lines.append(f"Content-Length: {len(body)}")
    head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
    # In one piece: whether it comes in two is no part of a comparison.
    return Answer((head if request.method == "HEAD" else head + body,))


def status(request: Request) -> Answer:
    """Answer ``/status/404`` with 404."""
    return plain(request, int(request.path.rpartition("/")[2]), b"for you")


def redirect(request: Request) -> Answer:
    """Answer ``/redirect/302?to=URL``; without ``to`` there is no Location."""
    where, code = request.asked("to"), request.path.rpartition("/")[2]
    if not code.isdigit():
        return plain(request, 200, b"arrived")
    cookie = request.asked("cookie")
    headers = [("Location", where.encode().decode("latin-1"))] if where else []
    headers += [("Set-Cookie", cookie)] if cookie else []
    return plain(request, int(code), b"go there", *headers)


def cookies(request: Request) -> Answer:
    """Answer ``/cookies?set=a%3D1&set=...`` with these headers."""
    headers = [("Set-Cookie", value) for name, value in request.query if name == "set"]
    return plain(request, 200, b"set", *headers)


def encoded(request: Request) -> Answer:
    """Answer ``/encoded/gzip`` and so on."""
    name = request.path.rpartition("/")[2]
    body, header = ENCODED[name]
    return plain(request, 200, body, ("Content-Encoding", header))


def typed(request: Request) -> Answer:
    """Answer with the type and the bytes of the query (``type``, ``hex``)."""
    body = bytes.fromhex(request.asked("hex"))
    return plain(request, 200, body, ("Content-Type", request.asked("type")))


def json_answer(request: Request) -> Answer:
    body = json.dumps({"greeting": "hello", "list": [1, None]}).encode()
    return plain(request, 200, body, ("Content-Type", "application/json"))


def basic(request: Request) -> Answer:
    """Let in who says that he is alice."""
    if request.header("authorization") == "Basic YWxpY2U6c2VjcmV0":
        return plain(request, 200, b"come in")
    return plain(request, 401, b"who?", ("WWW-Authenticate", 'Basic realm="test"'))


def slow(request: Request) -> Answer:
    """Answer after ``/slow?s=0.5`` seconds."""
    late = plain(request, 200, b"late")
    return Answer((float(request.asked("s")), *late.parts))


def echo(request: Request) -> Answer:
    """Answer with ``/echo?text=this``, in two parts with ``s`` seconds between."""
    whole = plain(request, 200, request.asked("text").encode()).parts[0]
    assert isinstance(whole, bytes)
    return Answer((whole[:-2], float(request.asked("s")), whole[-2:]))


def big(request: Request) -> Answer:
    """Answer with ``/big?n=1000`` bytes."""
    return plain(request, 200, b"b" * int(request.asked("n")))


def raw_deflate(body: bytes) -> bytes:
    make = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return make.compress(body) + make.flush()


PATHS: dict[str, Callable[[Request], Answer]] = {
    "status": status,
    "redirect": redirect,
    "cookies": cookies,
    "encoded": encoded,
    "typed": typed,
    "json": json_answer,
    "basic": basic,
    "slow": slow,
    "big": big,
    "echo": echo,
}


ENCODED = {
    "gzip": (gzip.compress(BODY, mtime=0), "gzip"),
    "x-gzip": (gzip.compress(BODY, mtime=0), "x-gzip"),
    "upper": (gzip.compress(BODY, mtime=0), "GZIP"),
    "members": (gzip.compress(BODY[:300], mtime=0) + gzip.compress(BODY[300:], mtime=0), "gzip"),
    "zlib": (zlib.compress(BODY), "deflate"),
    "deflate": (raw_deflate(BODY), "deflate"),
    "br": (BROTLI, "br"),
    "zstd": (ZSTD, "zstd"),
    "two": (gzip.compress(zlib.compress(BODY), mtime=0), "deflate, gzip"),
    "identity": (BODY, "identity"),
    "empty": (b"", "gzip"),
    "unknown": (BODY, "rot13"),
}

LINE = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
CHUNKS = b"4\r\nWiki\r\n5\r\npedia\r\n0\r\n"

# Answers that no library would make, as bytes.
WIRE = {
    "chunked": LINE + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKS + b"\r\n",
    "chunk-extensions": LINE
    + b"Transfer-Encoding: chunked\r\n\r\n"
    + b'4;a=1;b="x;y"\r\nWiki\r\n5 ;c\r\npedia\r\n0;last\r\n\r\n',
    "trailers": LINE
    + b"Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n"
    + CHUNKS
    + b"X-Sum: 9\r\n\r\n",
    "chunked-upper": LINE + b"Transfer-Encoding: Chunked\r\n\r\n" + CHUNKS + b"\r\n",
    "chunked-gzip": LINE
    + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    + b"%x\r\n" % len(ENCODED["gzip"][0])
    + ENCODED["gzip"][0]
    + b"\r\n0\r\n\r\n",
    "early-hints": b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
    b"HTTP/1.1 102 Processing\r\n\r\n" + LINE + b"Content-Length: 5\r\n\r\nfinal",
    "unasked-continue": b"HTTP/1.1 100 Continue\r\n\r\n" + LINE + b"Content-Length: 4\r\n\r\ndone",
    "no-content": b"HTTP/1.1 204 No Content\r\nX-One: 1\r\n\r\n",
    "not-modified": b'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 999\r\n\r\n',
    "reset-content": b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n",
    "head": LINE + b"Content-Length: 12345\r\n\r\n",
    "head-chunked": LINE + b"Transfer-Encoding: chunked\r\n\r\n",
    "old": b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end",
    "old-length": b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nold",
    "until-close": LINE + b"Connection: close\r\n\r\nuntil the end",
    "close": LINE + b"Connection: close\r\nContent-Length: 5\r\n\r\nclose",
    "no-reason": b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
    "empty-reason": b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok",
    "twice": LINE + b"X-Twice: 1\r\nX-Twice: 2\r\nContent-Length: 2\r\n\r\nok",
    "blanks": LINE + b"X-Blank:    \t\r\nX-None:\r\nX-Tab: \ta\tb \r\nContent-Length: 2\r\n\r\nok",
    "latin": LINE + b"X-Name: J\xfcrgen\r\nX-Utf: J\xc3\xbcrgen\r\nContent-Length: 2\r\n\r\nok",
    "strange-code": b"HTTP/1.1 299 Fine\r\nContent-Length: 2\r\n\r\nok",
    "same-length": LINE + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nok",
}
