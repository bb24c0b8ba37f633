"""Decide what follows from a channel's answer. Pure: notifier.py sends and writes it down."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

FIRST_S = 1.0
# Of a message: long enough to be no burden, short enough to arrive soon after a long outage.
LONGEST_S = 900.0
# Of a channel: it is asked so often whether it is back.
LONGEST_CHANNEL_S = 15.0
LONGEST_RETRY_AFTER_S = 3600.0
# A refusal may be a setting that somebody is just mending: two minutes of tries.
REFUSALS = 8


class Result(Enum):
    """What a channel made of a message."""

    DELIVERED = "delivered"
    LATER = "later"  # it cannot take it now: try again
    REFUSED = "refused"  # it will not take this one as it is


@dataclass(frozen=True)
class Answer:
    """What the vendor said, in its own words, and what it means.

    ``retry_after_s`` is what it asks to wait, in seconds.
    """

    result: Result
    text: str
    retry_after_s: float | None = None


@dataclass(frozen=True)
class Standing:
    """How things stood before the try: of the message, and of its channel."""

    attempts: int
    refusals: int
    failures_in_row: int


@dataclass(frozen=True)
class Next:
    """What to write down: the delivery's state, and the pauses of both in seconds."""

    state: str
    message_pause_s: float
    channel_pause_s: float
    # The channel is back after a while: what waited for it need not wait on.
    recovered: bool = False


def backoff_s(failures: int, longest_s: float) -> float:
    """Return how long to wait after so many failures in a row, in seconds; 1, 2, 4 and so on."""
    # More doublings than that are beyond every limit, and would overflow.
    return min(FIRST_S * 2.0 ** min(max(failures, 1) - 1, 30), longest_s)


def decide(answer: Answer, standing: Standing, spacing_s: float) -> Next:
    """Return what follows from an answer; ``spacing_s`` is the vendor's least pause."""
    if answer.result is Result.DELIVERED:
        return Next("delivered", 0, spacing_s, recovered=standing.failures_in_row >= 3)
    if answer.result is Result.REFUSED:
        refusals = standing.refusals + 1
        state = "failed" if refusals >= REFUSALS else "pending"
        # The channel is well: others need not wait for this one.
        return Next(state, backoff_s(refusals, LONGEST_S), spacing_s)
    asked_s = min(answer.retry_after_s or 0, LONGEST_RETRY_AFTER_S)
    message_s = max(backoff_s(standing.attempts + 1, LONGEST_S), asked_s)
    channel_s = max(backoff_s(standing.failures_in_row + 1, LONGEST_CHANNEL_S), asked_s, spacing_s)
    return Next("pending", message_s, channel_s)
