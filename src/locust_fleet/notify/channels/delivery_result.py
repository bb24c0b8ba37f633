"""What a channel made of a message."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Result(Enum):
    """Whether a channel accepted a message."""

    DELIVERED = "delivered"
    LATER = "later"  # it cannot accept it now: try again
    REFUSED = "refused"  # it does not accept this message as it is


@dataclass(frozen=True)
class Answer:
    """What the vendor said, in its own words, and what it means.

    ``retry_after_s`` is how long it asks to wait, in seconds; None if it does not say.
    """

    result: Result
    text: str
    retry_after_s: float | None = None
