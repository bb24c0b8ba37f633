"""Know which reports were counted, so that each counts once. Pure.

Workers number their reports within a run, and keep each until the master acknowledges it
(worker/resend_buffer.py). A report that arrives again is not counted. When one is missing, the
master asks for all from there on, in their order.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from locust_fleet.protocol.messages import NUMBER, OLDEST, RUN


class ReportVerdict(Enum):
    """What to do with a report."""

    COUNT = "count"  # the next report of its worker
    KNOWN = "known"  # already counted
    EARLY = "early"  # reports before it are missing: ask for them
    FOREIGN = "foreign"  # of a run that has ended: let the worker drop it


class ReportSequence:
    """The number of each worker's last report that was counted in the present run."""

    def __init__(self) -> None:
        self.run: str | None = None
        self._last: dict[str, int] = {}

    def begin(self, run: str, counted: Mapping[str, int] | None = None) -> None:
        """Start counting a run, after what a previous leader counted: the last number by worker."""
        self.run, self._last = run, dict(counted or {})

    def last(self, worker: str) -> int:
        """Return the number of a worker's last counted report; 0 for none."""
        return self._last.get(worker, 0)

    def counted(self) -> dict[str, int]:
        """Return the number of each worker's last counted report."""
        return dict(self._last)

    def classify(self, worker: str, report: Mapping[str, Any]) -> ReportVerdict:
        """Return what to do with a report; if it is COUNT, the report is counted from now on."""
        if NUMBER not in report:
            return ReportVerdict.COUNT
        if report[RUN] != self.run:
            return ReportVerdict.FOREIGN
        # A report that its worker has dropped was acknowledged, by this leader or an earlier one.
        last = max(self.last(worker), report[OLDEST] - 1)
        if report[NUMBER] <= last:
            return ReportVerdict.KNOWN
        if report[NUMBER] > last + 1:
            return ReportVerdict.EARLY
        self._last[worker] = report[NUMBER]
        return ReportVerdict.COUNT
