"""The stages that a message passes before Locust gets it; the runners define their order."""

from __future__ import annotations

from locust.rpc import Message

from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Protocol

Forward = Callable[[Message], None]


class Stage(Protocol):
    """Gets each message, and forwards it at once, changed, later or never."""

    def handle(self, message: Message, forward: Forward) -> None: ...


def chain(stages: Sequence[Stage], last: Forward) -> Forward:
    """Return a function that takes a message through all stages in order, then to ``last``."""
    return reduce(
        lambda forward, stage: partial(stage.handle, forward=forward), reversed(stages), last
    )
