"""What takes more than one request, or a proxy; for tests of their own."""

from __future__ import annotations

from tests.integration.fleet_http.attacks.danger import (
    LINE,
)
from tests.integration.fleet_http.hostile import FINE, Attack, Talk, fine


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


# A redirect whose body never ends.
def redirects_slowly(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 302 Found\r\nLocation: /fine\r\nContent-Length: 1000\r\n\r\n")
    talk.slowly(b"b" * 1000, 0.1)


MORE: dict[str, Attack] = {
    attack.__name__: attack
    for attack in (
        closes_when_asked_again,
        resets_when_asked_again,
        half_an_answer_when_asked_again,
        silent_when_asked_again,
        works_once,
        redirects_slowly,
    )
}


# What a proxy answers when it is to open a tunnel; each one by the host that it should lead to.
def closes(talk: Talk) -> None:
    talk.socket.close()


def hangs(talk: Talk) -> None:
    talk.wait()


def slow(talk: Talk) -> None:
    talk.slowly(b"HTTP/1.1 200 OK\r\nX-A: " + b"b" * 1000, 0.1)


def endless(talk: Talk) -> None:
    talk.send(LINE)
    while True:
        talk.send(b"X-A: b\r\n" * 1000)


def refuses(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n")


def garbage(talk: Talk) -> None:
    talk.send(bytes(range(256)) + b"\r\n\r\n")


def moves(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n")


def speaks_first(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 200 OK\r\n\r\n\x16\x03\x03\x00\x02hello")


def tunnel_to_nowhere(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 200 OK\r\n\r\n")
    talk.wait()


PROXIES: dict[str, Attack] = {
    attack.__name__.replace("_", "-"): attack
    for attack in (
        *(closes, hangs, slow, endless, refuses, garbage, moves, speaks_first),
        tunnel_to_nowhere,
    )
}
