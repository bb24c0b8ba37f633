"""Bound the counts that are lost with a worker that vanishes: those since its last report.

A killed process loses what it counted since then, and its requests in flight. That covers one
report interval, or all the time without a leader. The busiest report of any worker tells how many
requests that may be: the worker's own may cover less than an interval, or may not have arrived yet.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass
from typing import Any

# How much busier than every report so far the lost one may have been, as a factor.
HEADROOM = 1.25


@dataclass
class _WorkerLoad:
    users: int = 0
    # The most requests per user in any of its reports.
    most_per_user: float = 0.0
    assigned: int = 0
    # When its last report was counted, or it was first assigned users, in seconds since 1970.
    at: float = math.inf


class LossBound:
    """The users that each worker is assigned, and its requests per user, in the present run."""

    def __init__(
        self,
        report_interval_s: float,
        missed_after_s: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take the report interval, the time until a silent worker counts as missing, and a clock.

        All are in seconds; the clock counts from 1970.
        """
        self._interval_s, self._missed_after_s = report_interval_s, missed_after_s
        self._clock = clock
        self._work: dict[str, _WorkerLoad] = {}

    def start_run(self) -> None:
        """Forget the previous run."""
        self._work.clear()

    def dump(self) -> dict[str, tuple[Any, ...]]:
        """Return plain data for the checkpoint."""
        return {worker: astuple(work) for worker, work in self._work.items()}

    def load(self, work: Mapping[str, tuple[Any, ...]]) -> None:
        """Restore what ``dump`` returned."""
        self._work = {worker: _WorkerLoad(*known) for worker, known in work.items()}

    def assign(self, users: Mapping[str, int]) -> None:
        """Note how many users each worker is assigned."""
        for worker, assigned in users.items():
            self._of(worker).assigned = assigned

    def note_report(self, worker: str, report: Mapping[str, Any]) -> None:
        """Note from a worker's report how many requests it made per user."""
        work = self._of(worker)
        work.at = self._clock()
        requests = sum(entry["num_requests"] for entry in report["stats"])
        # Users that stopped since the report before have requests in this one, too.
        users = max(1, work.users, report["user_count"])
        work.users = report["user_count"]
        work.most_per_user = max(work.most_per_user, requests / users)

    def bound(self, worker: str) -> dict[str, Any]:
        """Return the most that is lost with a worker: its users, seconds of counts, and requests.

        ``requests = users + users x most per user x HEADROOM x seconds / interval``: one request in
        flight for each user, and the busiest report scaled to the lost time. ``requests`` is None
        when no worker has reported yet.
        """
        work = self._work.get(worker, _WorkerLoad())
        seconds = max(self._interval_s, self._clock() - self._missed_after_s - work.at)
        users = max(work.users, work.assigned)
        most = max((each.most_per_user for each in self._work.values()), default=0.0)
        known = most > 0 or users == 0
        return {
            "worker": worker,
            "users": users,
            "seconds": round(seconds, 1),
            "requests": users + round(users * most * HEADROOM * seconds / self._interval_s)
            if known
            else None,
        }

    def _of(self, worker: str) -> _WorkerLoad:
        return self._work.setdefault(worker, _WorkerLoad(at=self._clock()))
