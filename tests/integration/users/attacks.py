"""What the hostile server does, and what must come of it.

``FAILS``: a failed request with a reason. ``WORKS``: the bytes are fine, however they come.
``EITHER``: HTTP leaves it open. In any case in time, the same user goes on, and it gets the answer
to what it asked.
"""

from __future__ import annotations

import gzip
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from tests.integration.users.hostile import FINE, Attack, Talk, fine

LINE = b"HTTP/1.1 200 OK\r\n"
LENGTH = LINE + b"Content-Length: 5\r\n\r\n"
CHUNKED = LINE + b"Transfer-Encoding: chunked\r\n\r\n"
EVIL = FINE.replace(b"fine", b"EVIL")


class Verdict(Enum):
    """What must come of an attack."""

    FAILS = "fails"
    WORKS = "works"
    EITHER = "either"


FAILS, WORKS, EITHER = Verdict.FAILS, Verdict.WORKS, Verdict.EITHER


@dataclass(frozen=True)
class Danger:
    """An attack and its verdict."""

    attack: Attack
    verdict: Verdict
    # Of the request: a POST if it has a body, of so many bytes.
    body: int = 0
    headers: tuple[tuple[str, str], ...] = ()


DANGERS: dict[str, Danger] = {}


def danger(
    verdict: Verdict, body: int = 0, headers: tuple[tuple[str, str], ...] = ()
) -> Callable[[Attack], Attack]:
    def add(attack: Attack) -> Attack:
        DANGERS[attack.__name__] = Danger(attack, verdict, body, headers)
        return attack

    return add


def sends(name: str, verdict: Verdict, data: bytes, *, then: str = "close") -> None:
    """Add an attack that sends these bytes, and then closes, resets, or does nothing."""

    def attack(talk: Talk) -> None:
        talk.read_body()
        talk.send(data)
        if then == "wait":
            talk.wait()
        elif then == "reset":
            # What was sent should come first.
            talk.wait(0.1)
            talk.reset()
        elif then == "close":
            talk.socket.close()

    DANGERS[name] = Danger(attack, verdict)


# Ends too early.
HEAD = LINE + b"Content-Length: 5\r\nX-Header: value\r\n\r\n"
for place, data in {
    "before_the_head": b"",
    "in_the_status_line": b"HTTP/1.",
    "after_the_status_line": LINE,
    "in_the_head": HEAD[:-12],
    "before_the_end_of_the_head": HEAD[:-2],
    "after_the_head": HEAD,
    "in_the_body": HEAD + b"he",
    "before_a_chunk": CHUNKED,
    "in_a_chunk_size": CHUNKED + b"1",
    "in_a_chunk": CHUNKED + b"10\r\nhalf",
    "after_a_chunk": CHUNKED + b"4\r\nhalf\r\n",
    "in_the_last_chunk": CHUNKED + b"4\r\nhalf\r\n0\r\n",
    "in_a_trailer": CHUNKED + b"4\r\nhalf\r\n0\r\nX-Trai",
}.items():
    sends(f"closes_{place}", FAILS, data)
    sends(f"resets_{place}", FAILS, data, then="reset")
    sends(f"hangs_{place}", FAILS, data, then="wait")
sends("resets_a_body_without_a_length", FAILS, LINE + b"\r\nhalf", then="reset")
sends("closes_a_body_without_a_length", WORKS, LINE + b"\r\nfine")

# Chunks.
for name, size in {
    "no_number": b"zz",
    "a_sign": b"-5",
    "plus": b"+5",
    "a_prefix": b"0x5",
    "nothing": b"",
    "all_bits": b"ffffffffffffffff",
    "more_than_64_bits": b"fffffffffffffffff",
    "a_gigantic_number": b"f" * 1000,
}.items():
    sends(f"chunk_size_of_{name}", FAILS, CHUNKED + size + b"\r\nhello\r\n0\r\n\r\n")
sends("chunk_longer_than_it_says", FAILS, CHUNKED + b"2\r\nhello\r\n0\r\n\r\n")
sends("chunk_of_terabytes", FAILS, CHUNKED + b"ffffffffff\r\n" + b"x" * 100)
sends("chunk_line_feeds", EITHER, CHUNKED + b"5\nhello\n0\n\n")

# Lengths.
for name, value in {
    "below_zero": b"-1",
    "no_number": b"abc",
    "hexadecimal": b"0x5",
    "plus": b"+5",
    "with_a_blank": b"5 6",
    "two_in_one": b"5, 6",
    "nothing": b"",
    "more_than_64_bits": b"9" * 30,
}.items():
    sends(f"length_of_{name}", FAILS, LINE + b"Content-Length: " + value + b"\r\n\r\nhello")
two = LINE + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"
sends("two_lengths", FAILS, two, then="")
both = b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n"
sends("length_and_chunks", EITHER, LINE + both, then="")
sends("length_too_long", FAILS, LINE + b"Content-Length: 50\r\n\r\nhello")
sends("length_too_long_and_open", FAILS, LINE + b"Content-Length: 50\r\n\r\nhello", then="wait")
# The rest stays on the connection: it must not be the answer to what is asked next.
sends("smuggles_after_a_length", WORKS, FINE + EVIL, then="")
sends("smuggles_after_chunks", WORKS, CHUNKED + b"4\r\nfine\r\n0\r\n\r\n" + EVIL, then="")
sends("smuggles_after_204", WORKS, b"HTTP/1.1 204 No Content\r\n\r\n" + EVIL, then="")
sends("smuggles_after_304", WORKS, b"HTTP/1.1 304 Not Modified\r\n\r\n" + EVIL, then="")
sends("smuggles_bytes", WORKS, FINE + b"garbage", then="")
sends("smuggles_half_a_head", WORKS, FINE + b"HTTP/1.1 200 OK\r\nX-Evil: ", then="")
smuggled = b"Transfer-Encoding: xchunked\r\nContent-Length: 4\r\n\r\nfine"
sends("unknown_transfer_encoding", EITHER, LINE + smuggled, then="")
chunked_twice = LINE + b"Transfer-Encoding: chunked, chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n"
sends("chunked_twice", EITHER, chunked_twice)


@danger(WORKS)
def smuggles_later(talk: Talk) -> None:
    """Say more when the connection is idle."""
    talk.send(FINE)
    talk.wait(0.05)
    talk.send(EVIL)


@danger(WORKS)
def closes_when_idle(talk: Talk) -> None:
    talk.send(FINE)
    talk.socket.close()


# Heads.
sends("head_of_100000_lines", FAILS, LINE + b"X-A: b\r\n" * 100_000 + b"\r\n")
sends("head_of_one_long_line", FAILS, LINE + b"X-A: " + b"b" * 10_000_000 + b"\r\n\r\n")
sends("head_with_a_zero", FAILS, LINE + b"X-A: \x00\r\nContent-Length: 4\r\n\r\nfine")
sends("head_with_a_carriage_return", EITHER, LINE + b"X-A: a\rb\r\nContent-Length: 4\r\n\r\nfine")
sends("head_of_line_feeds", EITHER, FINE.replace(b"\r\n", b"\n"), then="wait")
sends("head_without_a_colon", EITHER, LINE + b"nonsense\r\nContent-Length: 4\r\n\r\nfine")
sends("head_with_a_blank_name", EITHER, LINE + b": x\r\nContent-Length: 4\r\n\r\nfine")
sends("head_with_a_blank_before", EITHER, LINE + b"Content-Length : 4\r\n\r\nfine")
sends("head_in_two_lines", EITHER, LINE + b"X-A: a\r\n b\r\nContent-Length: 4\r\n\r\nfine")
sends("head_of_no_text", WORKS, LINE + b"X-A: \xff\xfe\xc3\r\nContent-Length: 4\r\n\r\nfine")
cookie = b"Set-Cookie: \xff\xfe=\xc3; Path=\xff; Expires=\xff\r\nSet-Cookie: =;;=\r\n"
sends("cookie_of_no_text", WORKS, LINE + cookie + b"Content-Length: 4\r\n\r\nfine")
sends("100000_interim_answers", FAILS, b"HTTP/1.1 100 Continue\r\n\r\n" * 100_000)
sends("switches_unasked", EITHER, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nhello")

# Status lines.
for name, line in {
    "words": b"hello world",
    "nothing": b"",
    "no_number": b"HTTP/1.1 OK 200",
    "too_many_digits": b"HTTP/1.1 99999 OK",
    "no_status": b"HTTP/1.1",
    "a_sign": b"HTTP/1.1 -20 OK",
    "another_version": b"HTTP/9.9 200 OK",
    "two_digits": b"HTTP/1.1 20 OK",
    "binary": bytes(range(14, 256)),
}.items():
    sends(f"status_line_of_{name}", FAILS, line + b"\r\nContent-Length: 4\r\n\r\nfine")
sends("status_line_of_mail", FAILS, b"220 mail.example ESMTP\r\n", then="wait")
sends("status_line_of_http_2", FAILS, b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + b"\x00" * 18)

# Encodings.
PACKED = gzip.compress(b"fine" * 1000, mtime=0)


def encoded(name: str, verdict: Verdict, encoding: bytes, body: bytes) -> None:
    head = b"Content-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (encoding, len(body))
    sends(name, verdict, LINE + head + body, then="")


def bomb(mebibytes: int) -> bytes:
    """Return gzip of zeros, without the sum at its end: nobody should get there."""
    make = zlib.compressobj(9, wbits=-15)
    part = make.compress(bytes(2**20)) + make.flush(zlib.Z_FULL_FLUSH)
    return PACKED[:10] + part * mebibytes


encoded("gzip_that_is_none", FAILS, b"gzip", b"hello")
encoded("gzip_cut_off", FAILS, b"gzip", PACKED[:-20])
encoded("gzip_with_a_wrong_sum", FAILS, b"gzip", PACKED[:-8] + b"\x00" * 8)
encoded("gzip_and_more", EITHER, b"gzip", PACKED + b"garbage")
encoded("gzip_bomb", FAILS, b"gzip", bomb(1024))
encoded("deflate_that_is_none", FAILS, b"deflate", b"hello")
encoded("brotli_that_is_none", FAILS, b"br", b"hello")
encoded("brotli_cut_off", FAILS, b"br", bytes.fromhex("1b4b04f82d0eeca61fd3736ebb2cad57"))
encoded("zstd_that_is_none", FAILS, b"zstd", b"hello")
encoded("gzip_a_thousand_times", FAILS, b", ".join([b"gzip"] * 1000), PACKED)

# Text.
kind = LINE + b"Content-Length: 4\r\nContent-Type: text/plain; charset="
sends("text_of_no_text", WORKS, kind + b"utf-8\r\n\r\n\xff\xfe\xc3f", then="")
sends("charset_that_is_none", WORKS, kind + b"klingon\r\n\r\nfine", then="")
sends("charset_of_no_text", WORKS, kind + b"\xff\xfe\r\n\r\nfine", then="")
sends("charset_with_a_tab", EITHER, kind + b"utf\x0b8\r\n\r\nfine", then="")
sends("charset_that_is_no_text", WORKS, kind + b"hex\r\n\r\nfine", then="")

# Redirects.
for name, where in {
    "itself": b"/redirects_to_itself",
    "a_file": b"file:///etc/passwd",
    "no_host": b"http://",
    "no_host_but_a_path": b"http:///path",
    "no_port": b"http://127.0.0.1:99999/",
    "half_an_address": b"http://[::1",
    "nobody": b"http://127.0.0.1:1/",
    "no_name": b"http://nobody.invalid/",
    "a_label_too_long": b"http://" + b"a" * 300 + b".test/",
    "an_empty_label": b"http://a..b/",
    "words": b"javascript:alert(1)",
    "no_text": b"http://\xff\xfe/",
    "a_long_path": b"/" + b"a" * 60_000,
}.items():
    head = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + where
    verdict = EITHER if name in ("a_long_path", "no_host_but_a_path") else FAILS
    sends(f"redirects_to_{name}", verdict, head + b"\r\n\r\n", then="")


@danger(FAILS)
def redirects_10000_times(talk: Talk) -> None:
    where = f"/redirects_10000_times?{talk.times}" if talk.times < 10_000 else "/fine"
    head = "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: "
    talk.send(f"{head}{where}\r\n\r\n".encode())


# Time.
@danger(FAILS)
def byte_by_byte_in_the_head(talk: Talk) -> None:
    talk.slowly(LINE + b"X-A: " + b"b" * 1000, 0.1)


@danger(FAILS)
def byte_by_byte_in_the_body(talk: Talk) -> None:
    talk.send(LINE + b"Content-Length: 1000\r\n\r\n")
    talk.slowly(b"b" * 1000, 0.1)


@danger(FAILS)
def byte_by_byte_in_chunks(talk: Talk) -> None:
    talk.send(CHUNKED)
    talk.slowly(b"1\r\nb\r\n" * 200, 0.1)


@danger(FAILS)
def byte_per_second(talk: Talk) -> None:
    talk.slowly(FINE, 1.0)


@danger(WORKS)
def in_small_parts_but_in_time(talk: Talk) -> None:
    for start in range(0, len(FINE), 5):
        talk.send(FINE[start : start + 5])
        talk.wait(0.001)


@danger(WORKS)
def long_but_never_silent(talk: Talk) -> None:
    """Take three times the timeout in all, for megabytes."""
    talk.send(LINE + b"Content-Length: 1500000\r\n\r\n")
    for _ in range(15):
        talk.send(b"b" * 100_000)
        talk.wait(0.1)


# Without end.
@danger(FAILS)
def endless_head(talk: Talk) -> None:
    talk.send(LINE)
    while True:
        talk.send(b"X-A: b\r\n" * 1000)


@danger(FAILS)
def endless_body(talk: Talk) -> None:
    talk.send(LINE + b"\r\n")
    while True:
        talk.send(b"b" * 100_000)


@danger(FAILS)
def endless_chunks(talk: Talk) -> None:
    talk.send(CHUNKED)
    while True:
        talk.send(b"5\r\nhello\r\n" * 1000)


@danger(FAILS)
def endless_chunk_extension(talk: Talk) -> None:
    talk.send(CHUNKED + b"5;")
    while True:
        talk.send(b"x" * 10_000)


@danger(FAILS)
def endless_trailers(talk: Talk) -> None:
    talk.send(CHUNKED + b"0\r\n")
    while True:
        talk.send(b"X-A: b\r\n" * 1000)


# The body of the request.
@danger(EITHER, body=20_000_000)
def answers_before_it_read_all(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    talk.wait(0.1)


@danger(FAILS, body=20_000_000)
def reads_nothing(talk: Talk) -> None:
    threading.Event().wait(3)


@danger(FAILS, body=20_000_000)
def reads_a_little_and_resets(talk: Talk) -> None:
    talk.reset()


@danger(EITHER, body=100, headers=(("Expect", "100-continue"),))
def never_says_continue(talk: Talk) -> None:
    fine(talk)


@danger(EITHER, body=100, headers=(("Expect", "100-continue"),))
def expects_otherwise(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n")
    talk.wait(0.3)
    talk.socket.close()


@danger(WORKS, body=40_000_000)
def reads_slowly_but_reads(talk: Talk) -> None:
    """Take three times the timeout for the request."""
    for _ in range(15):
        talk.came += len(talk.socket.recv(500_000))
        threading.Event().wait(0.1)
    fine(talk)


@danger(WORKS)
def sets_3000_cookies(talk: Talk) -> None:
    cookies = b"".join(b"Set-Cookie: c%d=1\r\n" % number for number in range(3000))
    talk.send(LINE + cookies + b"Content-Length: 4\r\n\r\nfine")


@danger(FAILS)
def one_byte_too_few_each_time(talk: Talk) -> None:
    """Keep a client busy with what never is a chunk."""
    talk.send(CHUNKED)
    talk.slowly(b"0" * 100_000, 0.0001)


# Connections that were in use before; the third time it works, on a new connection.
def closes_when_asked_again(talk: Talk) -> None:
    """Close at the second request of a connection, unanswered."""
    if talk.before:
        talk.socket.close()
    else:
        fine(talk)


def resets_when_asked_again(talk: Talk) -> None:
    if talk.before:
        talk.reset()
    fine(talk)


def half_an_answer_when_asked_again(talk: Talk) -> None:
    if talk.before:
        talk.send(FINE[:20])
        talk.socket.close()
    else:
        fine(talk)


def silent_when_asked_again(talk: Talk) -> None:
    if talk.before:
        talk.wait()
    fine(talk)


def works_once(talk: Talk) -> None:
    """Answer the first time, and close whenever it is asked again, on any connection."""
    if talk.times:
        talk.socket.close()
    else:
        fine(talk)


ON_REUSE: dict[str, Attack] = {
    attack.__name__: attack
    for attack in (
        closes_when_asked_again,
        resets_when_asked_again,
        half_an_answer_when_asked_again,
        silent_when_asked_again,
        works_once,
    )
}
