"""How long a worker has heard nothing from its leader. Pure.

A process that hangs hears nothing either, and must not blame the leader for it. So a look adds no
more than looks are apart, however long it comes too late.
"""

from __future__ import annotations

import math

# A look that is a little late is no hanging process.
MOST_TICKS_AT_ONCE = 2


class FailureDetector:
    """Seconds since the leader was heard, and since there is a fresh connection to it."""

    def __init__(self, tick_s: float, now: float) -> None:
        self._tick_s = tick_s
        self._ticked = now
        self.since_heard_s = 0.0
        self.since_fresh_s = 0.0
        self._said_farewell = False

    def suspects(self, timeout_s: float) -> bool:
        """Whether nothing is to be expected any more from the leader that was heard last."""
        return self._said_farewell or self.since_heard_s > timeout_s

    def tick(self, now: float) -> None:
        """Let the time pass since the look before; to be called every ``look_s`` seconds."""
        passed_s = min(now - self._ticked, MOST_TICKS_AT_ONCE * self._tick_s)
        self._ticked = now
        self.since_heard_s += passed_s
        self.since_fresh_s += passed_s

    def note_message(self) -> None:
        """Note that the leader said something."""
        self.since_heard_s = self.since_fresh_s = 0.0
        self._said_farewell = False

    def note_farewell(self) -> None:
        """Note that the leader has said goodbye, so there is nothing to wait for."""
        self.since_fresh_s = math.inf
        self._said_farewell = True

    def note_reconnect(self) -> None:
        """Note that the connection is a new one, so nothing could be heard on it yet."""
        self.since_fresh_s = 0.0
