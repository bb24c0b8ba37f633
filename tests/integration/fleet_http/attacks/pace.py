"""Too slow, too much, too early."""

from __future__ import annotations

import threading

from tests.integration.fleet_http.attacks.danger import (
    CHUNKED,
    EITHER,
    EVIL,
    FAILS,
    LINE,
    WORKS,
    danger,
)
from tests.integration.fleet_http.hostile import FINE, Talk, fine


@danger(WORKS)
def smuggles_later(talk: Talk) -> None:
    """Say more when the connection is idle."""
    talk.send(FINE)
    if not talk.wait(0.02):
        talk.send(EVIL)


@danger(WORKS)
def closes_when_idle(talk: Talk) -> None:
    talk.send(FINE)
    talk.socket.close()


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
    threading.Event().wait(0.1)
    talk.socket.close()


@danger(EITHER, body=20_000_000)
def answers_and_reads_on(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    talk.read_body()
    talk.socket.close()


@danger(EITHER, body=20_000_000)
def answers_and_reads_no_more(talk: Talk) -> None:
    """Keep the connection open, on which the rest of the body would be the next request."""
    talk.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
    threading.Event().wait(1)


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
