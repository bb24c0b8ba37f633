"""The stages of a message before Locust handles it; the runners list them in order."""

from __future__ import annotations

from locust.rpc import Message

from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Protocol

Forward = Callable[[Message], None]


class Stage(Protocol):
    """Handles each message, and forwards it: at once, changed, later or never."""

    def handle(self, message: Message, forward: Forward) -> None: ...


def chain(stages: Sequence[Stage], last: Forward) -> Forward:
    """Return a function that passes a message through all stages in order, and then to ``last``."""
    return reduce(
        lambda forward, stage: partial(stage.handle, forward=forward), reversed(stages), last
    )
