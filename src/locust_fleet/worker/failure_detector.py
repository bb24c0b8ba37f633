"""Measure how long a worker has heard nothing from its leader. Pure.

A process that hangs reads no message either, and must not suspect the leader for that. So a late
tick counts as at most MOST_TICKS_AT_ONCE intervals, however late it is.
"""

from __future__ import annotations

import math

# A tick that is a little late counts in full.
MOST_TICKS_AT_ONCE = 2


class FailureDetector:
    """The seconds without a message, and those without one since the last new connection."""

    def __init__(self, tick_s: float, now: float) -> None:
        self._tick_s = tick_s
        self._ticked = now
        self.since_heard_s = 0.0
        self.since_fresh_s = 0.0
        self._said_farewell = False

    def suspects(self, timeout_s: float) -> bool:
        """Whether the leader was silent for longer than this, or has said goodbye."""
        return self._said_farewell or self.since_heard_s > timeout_s

    def tick(self, now: float) -> None:
        """Add the time since the last tick; must be called every ``tick_s`` seconds."""
        passed_s = min(now - self._ticked, MOST_TICKS_AT_ONCE * self._tick_s)
        self._ticked = now
        self.since_heard_s += passed_s
        self.since_fresh_s += passed_s

    def note_message(self) -> None:
        """Note a message of the leader."""
        self.since_heard_s = self.since_fresh_s = 0.0
        self._said_farewell = False

    def note_farewell(self) -> None:
        """Note the leader's goodbye, after which it sends nothing more."""
        self.since_fresh_s = math.inf
        self._said_farewell = True

    def note_reconnect(self) -> None:
        """Note a new connection, on which no message could arrive yet."""
        self.since_fresh_s = 0.0
