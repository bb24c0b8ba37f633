"""Know how many users a worker can bear beside others: what it said of itself, and its CPU.

Workers say it when they come and with each report, so that a new master knows it soon.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from locust_fleet.master.plan import Share

# Workers whose CPU differs by less are left alone: Locust measures whole percents of ten seconds.
ALIKE_PERCENT = 5.0
# A weight changes at most by this factor at a time.
STEEPEST = 2.0


class Weights:
    """Each worker's share, by the way of dispatching that is set."""

    def __init__(self, dispatch: str, max_users: int) -> None:
        self._dispatch = dispatch
        self._max_users = max_users
        self.said: dict[str, Share] = {}
        self.by_load: dict[str, float] = {}

    @property
    def follows_load(self) -> bool:
        return self._dispatch == "LEAST_LOADED"

    def hear(self, worker: str, capacity: Mapping[str, Any]) -> None:
        """Note what a worker says of itself."""
        limit = capacity["max_users"] or None
        self.said[worker] = Share(float(capacity["weight"]), limit)

    def keep(self, workers: frozenset[str]) -> None:
        """Forget all others."""
        self.said = {worker: share for worker, share in self.said.items() if worker in workers}
        self.by_load = {w: weight for w, weight in self.by_load.items() if w in workers}

    def share_of(self, worker: str) -> Share:
        """Return the share of a worker."""
        said = self.said.get(worker, Share())
        limits = [limit for limit in (said.limit, self._max_users) if limit]
        weight = 1.0 if self._dispatch == "ROUND_ROBIN" else said.weight
        return Share(self.by_load.get(worker, weight), min(limits, default=None))

    def weigh_load(self, users: Mapping[str, int], cpu_percent: Mapping[str, float]) -> bool:
        """Weigh workers by the CPU that their users take; returns whether anything changed."""
        known = [worker for worker, size in users.items() if size and cpu_percent.get(worker)]
        if len(known) < 2:
            return False
        loads = [cpu_percent[worker] for worker in known]
        if max(loads) - min(loads) < ALIKE_PERCENT:
            return False
        mean = sum(loads) / len(loads)
        for worker in known:
            factor = mean / cpu_percent[worker]
            self.by_load[worker] = users[worker] * min(STEEPEST, max(1 / STEEPEST, factor))
        # Who runs nothing yet begins as an average worker.
        average = sum(self.by_load[worker] for worker in known) / len(known)
        for worker in users:
            if worker not in known:
                self.by_load[worker] = average
        return True
