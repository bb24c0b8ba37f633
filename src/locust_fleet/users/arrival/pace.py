"""How far behind its schedule a worker is, so that it catches up without a burst. Pure.

A process that was held up would start at once all that was due meanwhile: a burst that nobody asked
for. Instead the rest of its arrivals comes as much later, and makes up for it little by little.
Their latency from the intended start has the delay in it.
"""

from __future__ import annotations

# Timers of an event loop are exact to a millisecond.
TOLERATED_S = 0.002
# Of the time between arrivals, so much is made up for.
CATCH_UP = 0.03


class Pace:
    """By how many seconds arrivals are put off."""

    def __init__(self) -> None:
        self.behind_s = 0.0
        self._last = 0.0

    def release(self, intended: float, now: float) -> None:
        """Take note that an arrival begins now."""
        late = now - intended - self.behind_s
        if late > TOLERATED_S:
            self.behind_s += late - TOLERATED_S
        else:
            self.behind_s = max(0.0, self.behind_s - CATCH_UP * max(0.0, intended - self._last))
        self._last = intended
