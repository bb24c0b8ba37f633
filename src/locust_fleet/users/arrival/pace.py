"""How far behind its schedule a worker is, so that it catches up without a burst. Pure.

A process that was blocked would begin at once all arrivals that were due meanwhile: a burst that
the schedule does not contain. Instead, all later arrivals are delayed by the same time, which
shrinks little by little. Their latency from the intended start includes the delay.
"""

from __future__ import annotations

# How late an arrival may be without delaying those after it. When a machine blocks all of its
# workers, they begin at once what was due in this time: 1.5 % of the arrivals of a tenth of a
# second. After a gap, an arrival may be as late as the gap is long, at most a tenth of a second: it
# is no burst.
TOLERANCE_S, LONGEST_GAP_S = 0.0015, 0.1
# In a second, the delay shrinks by MIN_CATCH_UP seconds or, if that is more, by the CATCH_UP_S-th
# part of itself: a delay of 0.1 s shrinks by 0.025 s, so 2.5 % more arrivals begin than scheduled.
MIN_CATCH_UP, CATCH_UP_S = 0.015, 4.0


class Pace:
    """The delay of arrivals, in seconds."""

    def __init__(self) -> None:
        self.behind_s = 0.0
        self._last = 0.0

    def release(self, intended: float, now: float) -> None:
        """Note that an arrival begins ``now``; both times are in monotonic seconds."""
        gap_s = max(0.0, intended - self._last)
        tolerance_s = max(TOLERANCE_S, min(gap_s, LONGEST_GAP_S))
        late_s = now - intended - self.behind_s
        if late_s > tolerance_s:
            self.behind_s += late_s - tolerance_s
        else:
            catch_up = max(MIN_CATCH_UP, self.behind_s / CATCH_UP_S)
            self.behind_s = max(0.0, self.behind_s - catch_up * gap_s)
        self._last = intended
