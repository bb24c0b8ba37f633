"""The scenarios: small functions that use a client as a locustfile would.

``HttpUser`` is the oracle: what requests does in public is what a user may expect. Where another
user differs, the scenario says at which paths of the outcome, and why. A difference that is
written down and does not occur is an error too.

Nothing here may import Locust: pytest reads the table in its own process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class Stage(Protocol):
    """What a scenario has; see ``stage.py``."""

    kind: str
    places: dict[str, Any]

    @property
    def client(self) -> Any: ...

    def user(self, host: str | None = None, **attributes: Any) -> Any: ...


Play = Callable[[Stage], Any]

# Paths of an outcome, ``*`` for any text, to the reason why they differ. A text alone: all may.
Differences = Mapping[str, str]

# Of ours, for what is never sent.
REFUSED = {
    "got.ok": "is False; requests raises",
    "got.reason": "is a text",
    "got.url": "is the one that was asked",
}
COUNTED_BY_FIRST = {
    "counted": "counts what fails after a redirect by what was asked, as it does what works",
    "reported.0.name": "is named so",
    "reported.0.url": "is named so",
}
# Of FastHttpUser; so it does not do what was asked either.
UNKNOWN = "takes what it does not know for parameters of the URL"


@dataclass(frozen=True)
class Scenario:
    """One function, and how the others differ from HttpUser in it."""

    name: str
    play: Play
    fast: Differences
    fleet: Differences


TABLE: dict[str, Scenario] = {}


def scenario(
    *, fast: str | Differences = "", fleet: str | Differences = ""
) -> Callable[[Play], Play]:
    """Add a function to the table, under its own name."""

    def add(play: Play) -> Play:
        name = play.__name__
        assert name not in TABLE, f"two scenarios are called {name}"
        TABLE[name] = Scenario(name, play, differences(fast), differences(fleet))
        return play

    return add


def differences(written: str | Differences) -> Differences:
    if isinstance(written, str):
        return {"*": written} if written else {}
    return written
