"""What the hostile server does, and what must come of it.

``FAILS``: a failed request with a reason. ``WORKS``: the bytes are fine, however they come.
``EITHER``: HTTP leaves it open. In any case in time, the same user goes on, and it gets the answer
to what it asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from tests.integration.fleet_http.hostile import FINE, Attack, Talk

LINE = b"HTTP/1.1 200 OK\r\n"
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
