"""How far behind its schedule a worker is, so that it catches up without a burst. Pure.

A process that was held up would start at once all that was due meanwhile: a burst that nobody asked
for. Instead the rest of its arrivals comes as much later, and makes up for it little by little.
Their latency from the intended start has the delay in it.
"""

from __future__ import annotations

# How late an arrival may be without putting off those after it: what workers on one machine start
# at once, when that has held up all of them, is 1.5 % of a tenth of a second. An arrival that is
# the next in a tenth of a second is no burst either.
TOLERATED_S, LONGEST_GAP_S = 0.0015, 0.1
# So much faster than asked it makes up for what it is behind; and the further that is, the more: a
# tenth of a second behind it is 2.5 % faster. Latencies from the intended start have it in them.
CATCH_UP, WITHIN_S = 0.015, 4.0


class Pace:
    """By how many seconds arrivals are put off."""

    def __init__(self) -> None:
        self.behind_s = 0.0
        self._last = 0.0

    def release(self, intended: float, now: float) -> None:
        """Take note that an arrival begins now."""
        gap_s = max(0.0, intended - self._last)
        tolerated_s = max(TOLERATED_S, min(gap_s, LONGEST_GAP_S))
        late_s = now - intended - self.behind_s
        if late_s > tolerated_s:
            self.behind_s += late_s - tolerated_s
        else:
            faster = max(CATCH_UP, self.behind_s / WITHIN_S)
            self.behind_s = max(0.0, self.behind_s - faster * gap_s)
        self._last = intended
