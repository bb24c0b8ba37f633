"""Know which reports were counted, so that each is counted once. Pure.

Workers number their reports within a run and keep them until they are told that they may forget
them (worker/resend_buffer.py). One that comes again was counted; where one is missing, those from
there on are asked for, in their order.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from locust_fleet.protocol.messages import NUMBER, OLDEST, RUN


class ReportVerdict(Enum):
    """What to do with a report."""

    COUNT = "count"  # the next one of its worker
    KNOWN = "known"  # counted before
    EARLY = "early"  # others come before it: ask for them
    FOREIGN = "foreign"  # of a run that is over: let the worker forget it


class ReportSequence:
    """For each worker the number of the last report that was counted in the present run."""

    def __init__(self) -> None:
        self.run: str | None = None
        self._last: dict[str, int] = {}

    def begin(self, run: str, counted: Mapping[str, int] | None = None) -> None:
        """Count for a run from now on; ``counted`` is what an earlier leader had counted of it."""
        self.run, self._last = run, dict(counted or {})

    def last(self, worker: str) -> int:
        """Return the number of a worker's last report that was counted; 0 for none."""
        return self._last.get(worker, 0)

    def counted(self) -> dict[str, int]:
        """Return the last number of each worker, for who comes after."""
        return dict(self._last)

    def classify(self, worker: str, report: Mapping[str, Any]) -> ReportVerdict:
        """Say what to do with a report; one to count is noted as counted."""
        if NUMBER not in report:
            return ReportVerdict.COUNT
        if report[RUN] != self.run:
            return ReportVerdict.FOREIGN
        # What its worker has forgotten was acknowledged, if not by this leader.
        last = max(self.last(worker), report[OLDEST] - 1)
        if report[NUMBER] <= last:
            return ReportVerdict.KNOWN
        if report[NUMBER] > last + 1:
            return ReportVerdict.EARLY
        self._last[worker] = report[NUMBER]
        return ReportVerdict.COUNT
