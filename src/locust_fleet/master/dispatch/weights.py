"""Know each worker's weight and limit: what it announces, and what its CPU usage shows.

Workers announce their capacity when they join and with each report, so a new leader soon knows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from locust_fleet.master.dispatch.assignment import Share

# With a smaller difference in CPU, weights stay: Locust measures whole percents over ten seconds.
LEAST_CPU_SPREAD_PERCENT = 5.0
# The most that a weight changes at a time, as a factor.
MOST_WEIGHT_FACTOR = 2.0


class Weights:
    """Each worker's share, by the DISPATCH setting."""

    def __init__(self, dispatch: str, max_users: int) -> None:
        self._dispatch = dispatch
        self._max_users = max_users
        self.announced: dict[str, Share] = {}
        self.by_load: dict[str, float] = {}

    @property
    def follows_load(self) -> bool:
        return self._dispatch == "LEAST_LOADED"

    def note_capacity(self, worker: str, capacity: Mapping[str, Any]) -> None:
        """Note a worker's announced capacity: ``weight``, and ``max_users`` (0: no limit)."""
        limit = capacity["max_users"] or None
        self.announced[worker] = Share(float(capacity["weight"]), limit)

    def dump(self) -> dict[str, Any]:
        """Return plain data for the checkpoint."""
        announced = {
            worker: (share.weight, share.limit) for worker, share in self.announced.items()
        }
        return {"said": announced, "by_load": dict(self.by_load)}

    def load(self, known: Mapping[str, Any]) -> None:
        """Restore what ``dump`` returned."""
        self.announced = {worker: Share(*announced) for worker, announced in known["said"].items()}
        self.by_load = dict(known["by_load"])

    def end_run(self) -> None:
        """Forget the weights by load, which are those of a run."""
        self.by_load.clear()

    def forget(self, worker: str) -> None:
        """Forget a worker that left for good."""
        self.announced.pop(worker, None)
        self.by_load.pop(worker, None)

    def share_of(self, worker: str) -> Share:
        """Return a worker's weight and limit; a limit of its own or of the fleet, the lower one."""
        announced = self._announced(worker)
        limits = [limit for limit in (announced.limit, self._max_users) if limit]
        weight = 1.0 if self._dispatch == "ROUND_ROBIN" else announced.weight
        return Share(self.by_load.get(worker, weight), min(limits, default=None))

    def weigh_load(self, users: Mapping[str, int], cpu_percent: Mapping[str, float]) -> bool:
        """Set weights by load; return whether anything changed.

        A worker's new weight is in proportion to ``users x mean CPU / own CPU``: the users with
        which it would have the mean CPU usage (percent), if each user costs it the same. The last
        factor is bounded by MOST_WEIGHT_FACTOR in both directions. Workers without users or CPU
        usage keep their weight.
        """
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
        # The sum stays that of the announced weights, so that a new worker's own weight fits in.
        scale = sum(self._announced(worker).weight for worker in known) / sum(wanted.values())
        self.by_load = {worker: scale * size for worker, size in wanted.items()}
        return True

    def _announced(self, worker: str) -> Share:
        """Return what a worker announced; until it does, the mean weight of the others.

        With a worse guess, users would be stopped and started elsewhere soon after.
        """
        known = [share.weight for share in self.announced.values()]
        like_others = Share(sum(known) / len(known)) if known else Share()
        return self.announced.get(worker, like_others)
