"""Bound what is lost with a worker that vanishes: what it did since its last report. Pure.

A process that is killed takes with it what it counted since then, at most an interval of reports,
and the requests that were in flight. How many that are is known from the worker's busiest report.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# A report may be so much busier than any before it.
HEADROOM = 1.25


@dataclass
class _Work:
    users: int = 0
    most_per_user: float = 0.0


class Losses:
    """What each worker reported in the present run."""

    def __init__(self, report_interval_s: float) -> None:
        self._interval_s = report_interval_s
        self._work: dict[str, _Work] = {}

    def start_run(self) -> None:
        """Forget the run before."""
        self._work.clear()

    def remember(self) -> dict[str, tuple[int, float]]:
        """Return all of it, for who comes after."""
        return {worker: (work.users, work.most_per_user) for worker, work in self._work.items()}

    def recall(self, work: Mapping[str, tuple[int, float]]) -> None:
        """Go on from what the master before remembered."""
        self._work = {worker: _Work(*known) for worker, known in work.items()}

    def hear(self, worker: str, report: Mapping[str, Any]) -> None:
        """Note how busy a worker was."""
        work = self._work.setdefault(worker, _Work())
        requests = sum(entry["num_requests"] for entry in report["stats"])
        # Whoever stopped since has counted, too.
        users = max(1, work.users, report["user_count"])
        work.users = report["user_count"]
        work.most_per_user = max(work.most_per_user, requests / users)

    def bound(self, worker: str) -> dict[str, Any]:
        """Return what may be lost with a worker: of its users, seconds of counts, and requests.

        One request of each user may be in flight; the rest is the busiest interval and some more.
        """
        work = self._work.get(worker, _Work())
        counted = work.users * work.most_per_user * HEADROOM
        return {
            "worker": worker,
            "users": work.users,
            "seconds": self._interval_s,
            "requests": work.users + round(counted),
        }
