"""Call the listeners of an event in the order of a tuple, not in that in which they were added."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from locust_fleet.runtime.safe_listener import safe_listener


def in_order(hooks: Sequence[Callable[..., None]], *arguments: str) -> Callable[..., None]:
    """Return one listener that calls all hooks in their order, whatever one of them raises.

    ``arguments`` names the values of the event that each hook gets, by position.
    """
    safe = [safe_listener(hook) for hook in hooks]

    def listener(**event: Any) -> None:
        given = [event[name] for name in arguments]
        for hook in safe:
            hook(*given)

    return listener
