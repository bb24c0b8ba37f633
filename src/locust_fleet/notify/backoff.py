"""Decide what follows from the answer of a channel. Pure: notifier.py sends and records."""

from __future__ import annotations

from dataclasses import dataclass

from locust_fleet.notify.channels.delivery_result import Answer, Result

FIRST_PAUSE_S = 1.0
# The longest pause of a message: rare enough to be no burden, and soon after a long outage.
LONGEST_MESSAGE_PAUSE_S = 900.0
# The longest pause of a channel: how often it is tried while it is away.
LONGEST_CHANNEL_PAUSE_S = 15.0
LONGEST_RETRY_AFTER_S = 3600.0
# A refusal may come from a setting that somebody is correcting: about two minutes of tries.
MOST_REFUSALS = 8
# So many failures in a row are an outage of the channel.
FAILURES_OF_OUTAGE = 3


@dataclass(frozen=True)
class Tries:
    """The tries so far: of a message (all, and those refused), and of its channel in a row."""

    attempts: int
    refusals: int
    failures_in_row: int


@dataclass(frozen=True)
class Outcome:
    """What to record: the state of the delivery, and the pauses of both in seconds."""

    state: str
    message_pause_s: float
    channel_pause_s: float
    # An outage of the channel is over: its waiting messages are due at once.
    recovered: bool = False


def backoff_s(failures: int, longest_s: float) -> float:
    """Return the pause after so many failures in a row, in seconds: 1, 2, 4 and so on."""
    # 30 doublings are beyond every limit; many more would overflow.
    return min(FIRST_PAUSE_S * 2.0 ** min(max(failures, 1) - 1, 30), longest_s)


def decide(answer: Answer, tries: Tries, spacing_s: float) -> Outcome:
    """Return what follows from an answer; ``spacing_s`` is the least pause of the vendor."""
    if answer.result is Result.DELIVERED:
        recovered = tries.failures_in_row >= FAILURES_OF_OUTAGE
        return Outcome("delivered", 0, spacing_s, recovered)
    if answer.result is Result.REFUSED:
        refusals = tries.refusals + 1
        state = "failed" if refusals >= MOST_REFUSALS else "pending"
        # The channel works, so other messages need not wait for this one.
        return Outcome(state, backoff_s(refusals, LONGEST_MESSAGE_PAUSE_S), spacing_s)
    asked_s = min(answer.retry_after_s or 0, LONGEST_RETRY_AFTER_S)
    message_s = backoff_s(tries.attempts + 1, LONGEST_MESSAGE_PAUSE_S)
    channel_s = backoff_s(tries.failures_in_row + 1, LONGEST_CHANNEL_PAUSE_S)
    return Outcome("pending", max(message_s, asked_s), max(channel_s, asked_s, spacing_s))
