"""Bound what is lost with a worker that vanishes: what it did since its last report.

A process that is killed takes with it what it counted since then, and the requests that were in
flight. That is an interval of reports, or all that it kept while nobody led. How many requests
that are is known from the busiest report of any worker: its own may be of less than an interval,
or not have come yet.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass
from typing import Any

# A report may be so much busier than any before it.
HEADROOM = 1.25


@dataclass
class _WorkerLoad:
    users: int = 0
    # Requests per user in its busiest report.
    most_per_user: float = 0.0
    assigned: int = 0
    # When its last report was counted, or it was told first, in seconds since 1970.
    at: float = math.inf


class LossBound:
    """What each worker was told, and reported, in the present run."""

    def __init__(
        self,
        report_interval_s: float,
        missed_after_s: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """A worker is missed when nothing was heard of it for ``missed_after_s``."""
        self._interval_s, self._missed_after_s = report_interval_s, missed_after_s
        self._clock = clock
        self._work: dict[str, _WorkerLoad] = {}

    def start_run(self) -> None:
        """Forget the run before."""
        self._work.clear()

    def dump(self) -> dict[str, tuple[Any, ...]]:
        """Return all of it, for who comes after."""
        return {worker: astuple(work) for worker, work in self._work.items()}

    def load(self, work: Mapping[str, tuple[Any, ...]]) -> None:
        """Go on from what the master before remembered."""
        self._work = {worker: _WorkerLoad(*known) for worker, known in work.items()}

    def assign(self, users: Mapping[str, int]) -> None:
        """Note how many users workers were told to run."""
        for worker, assigned in users.items():
            self._of(worker).assigned = assigned

    def note_report(self, worker: str, report: Mapping[str, Any]) -> None:
        """Note how busy a worker was."""
        work = self._of(worker)
        work.at = self._clock()
        requests = sum(entry["num_requests"] for entry in report["stats"])
        # Whoever stopped since has counted, too.
        users = max(1, work.users, report["user_count"])
        work.users = report["user_count"]
        work.most_per_user = max(work.most_per_user, requests / users)

    def bound(self, worker: str) -> dict[str, Any]:
        """Return what may be lost with a worker: of its users, seconds of counts, and requests.

        One request of each user may be in flight; the rest is the busiest interval and some more.
        The number of requests is None where nobody has reported yet.
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
