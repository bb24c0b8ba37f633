"""Know how many users a worker can bear beside others: what it said of itself, and its CPU.

Workers say it when they come and with each report, so that a new master knows it soon.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from locust_fleet.master.dispatch.planner import Share

# Workers whose CPU differs by less are left alone: Locust measures whole percents of ten seconds.
LEAST_CPU_SPREAD_PERCENT = 5.0
# A weight changes at most by this factor at a time.
MOST_WEIGHT_FACTOR = 2.0


class Weights:
    """Each worker's share, by the way of dispatching that is set."""

    def __init__(self, dispatch: str, max_users: int) -> None:
        self._dispatch = dispatch
        self._max_users = max_users
        self.announced: dict[str, Share] = {}
        self.by_load: dict[str, float] = {}

    @property
    def follows_load(self) -> bool:
        return self._dispatch == "LEAST_LOADED"

    def note_capacity(self, worker: str, capacity: Mapping[str, Any]) -> None:
        """Note what a worker says of itself."""
        limit = capacity["max_users"] or None
        self.announced[worker] = Share(float(capacity["weight"]), limit)

    def dump(self) -> dict[str, Any]:
        """Return all of it, for who comes after."""
        announced = {
            worker: (share.weight, share.limit) for worker, share in self.announced.items()
        }
        return {"said": announced, "by_load": dict(self.by_load)}

    def load(self, known: Mapping[str, Any]) -> None:
        """Go on from what the master before knew."""
        self.announced = {worker: Share(*announced) for worker, announced in known["said"].items()}
        self.by_load = dict(known["by_load"])

    def end_run(self) -> None:
        """Forget the load, which was that of a run."""
        self.by_load.clear()

    def forget(self, worker: str) -> None:
        """Forget a worker that left for good."""
        self.announced.pop(worker, None)
        self.by_load.pop(worker, None)

    def share_of(self, worker: str) -> Share:
        """Return the share of a worker."""
        announced = self._announced(worker)
        limits = [limit for limit in (announced.limit, self._max_users) if limit]
        weight = 1.0 if self._dispatch == "ROUND_ROBIN" else announced.weight
        return Share(self.by_load.get(worker, weight), min(limits, default=None))

    def weigh_load(self, users: Mapping[str, int], cpu_percent: Mapping[str, float]) -> bool:
        """Weigh workers by the CPU that their users take; returns whether anything changed."""
        known = [worker for worker, size in users.items() if size and cpu_percent.get(worker)]
        if len(known) < 2:
            return False
        loads = [cpu_percent[worker] for worker in known]
        if max(loads) - min(loads) < LEAST_CPU_SPREAD_PERCENT:
            return False
        mean = sum(loads) / len(loads)
        wanted = {
            worker: users[worker]
            * min(MOST_WEIGHT_FACTOR, max(1 / MOST_WEIGHT_FACTOR, mean / cpu_percent[worker]))
            for worker in known
        }
        # Together they weigh what they said, so that one that joins begins with its own weight.
        scale = sum(self._announced(worker).weight for worker in known) / sum(wanted.values())
        self.by_load = {worker: scale * size for worker, size in wanted.items()}
        return True

    def _announced(self, worker: str) -> Share:
        """Return what a worker said; until it does, it is taken for one like the others.

        Users that were divided for a guess would be stopped and started elsewhere soon after.
        """
        known = [share.weight for share in self.announced.values()]
        like_others = Share(sum(known) / len(known)) if known else Share()
        return self.announced.get(worker, like_others)
