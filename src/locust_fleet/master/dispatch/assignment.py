"""Decide how many users of each class every worker runs. Pure.

Each worker's share is proportional to its weight, rounded to a whole user and capped at its limit.
The rounding favours workers that already run more, so that few users move when workers come and go.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

# Weights are scaled to integers, with this for the largest, so that division is exact.
WEIGHT_SCALE = 10**9
# At most this share of all users moves between workers at a time.
MOST_MOVED_PERCENT = 10

Users = dict[str, dict[str, int]]


@dataclass(frozen=True)
class Share:
    """A worker's weight relative to others, and its limit in users; None for no limit."""

    weight: float = 1.0
    limit: int | None = None


@dataclass(frozen=True)
class Kind:
    """A class of users: its weight relative to other classes, or its fixed number of users."""

    name: str
    weight: float
    fixed: int = 0


def apportion(
    total: int, shares: Mapping[str, Share], held: Mapping[str, int] | None = None
) -> dict[str, int]:
    """Divide a total in proportion to weights, up to the limits: {name: units}.

    Hamilton's method (largest remainder) on what is left after shares at their limit are filled, in
    the order of limit / weight. Each share gets its exact quota rounded down or up. The units that
    rounding leaves go first to those that already hold more than their quota rounded down
    (``held``), then to the largest remainders, then by name. The sum is below the total only when
    all are full.
    """
    held = held or {}
    largest = max((share.weight for share in shares.values()), default=0)
    weights = {
        name: max(1, round(share.weight / largest * WEIGHT_SCALE)) for name, share in shares.items()
    }
    parts = dict.fromkeys(shares, 0)
    left, weight_left = total, sum(weights.values())
    bounded = [
        (share.limit / weights[name], name)
        for name, share in shares.items()
        if share.limit is not None
    ]
    full = set()
    for _, name in sorted(bounded):
        limit = shares[name].limit or 0
        if limit * weight_left > left * weights[name]:
            break
        parts[name] = limit
        full.add(name)
        left -= limit
        weight_left -= weights[name]
    rests = []
    open_to_more = left
    for name in shares:
        if name not in full:
            parts[name], rest = divmod(left * weights[name], weight_left)
            open_to_more -= parts[name]
            if rest:
                rests.append((held.get(name, 0) <= parts[name], -rest, _sort_key(name), name))
    if len(full) < len(shares):
        for *_, name in sorted(rests)[:open_to_more]:
            parts[name] += 1
    return parts


class Plan:
    """The users that each worker is assigned, and the next step from there to the target.

    ``assigned``, ``shares`` and ``target`` are plain data; everything else is derived from them.
    """

    def __init__(self, kinds: Sequence[Kind]) -> None:
        self.assigned: Users = {}
        self.shares: dict[str, Share] = {}
        self.target = 0
        self._kinds = tuple(kinds)
        self._goals: dict[str, int] | None = None
        self._settled = False

    @property
    def count(self) -> int:
        """Users that all workers are assigned together."""
        return sum(sum(users.values()) for users in self.assigned.values())

    @property
    def capacity(self) -> int | None:
        """The most users that these workers may run together; None when one has no limit."""
        limits = [share.limit for share in self.shares.values()]
        known = [limit for limit in limits if limit is not None]
        return sum(known) if len(known) == len(limits) else None

    @property
    def over_capacity(self) -> int:
        """Users of the target that cannot run because every worker is at its limit."""
        if not self.shares or self.capacity is None:
            return 0
        return max(0, self._wanted - self.capacity)

    @property
    def goal(self) -> int:
        """Users that run once the plan has settled."""
        return self._wanted - self.over_capacity if self.shares else 0

    @property
    def goals(self) -> Mapping[str, int]:
        """Users that each worker runs once the plan has settled."""
        return self._settle_goals()

    @property
    def settled(self) -> bool:
        """Whether the assignment needs no further step."""
        if not self._settled:
            self._settled = (
                self.count == self.goal and not self._surplus() and not self._wrong_class()
            )
        return self._settled

    def set_target(self, target: int, kinds: Sequence[Kind]) -> None:
        """Set the target in users, and the classes that they are of."""
        self.target = target
        self._kinds = tuple(kinds)
        self._change()

    def set_workers(
        self, shares: Mapping[str, Share], running: Mapping[str, Mapping[str, int]]
    ) -> None:
        """Set the workers and their shares; a new one is assigned its ``running`` users."""
        if shares == self.shares:
            return
        self.shares = dict(shares)
        self.assigned = {
            worker: self.assigned[worker]
            if worker in self.assigned
            else dict(running.get(worker, {}))
            for worker in shares
        }
        self._change()

    def adopt(self, assigned: Mapping[str, Mapping[str, int]]) -> None:
        """Take over the users by class that the previous leader assigned to these workers."""
        self.assigned |= {
            worker: dict(users) for worker, users in assigned.items() if worker in self.assigned
        }
        self._change()

    def reweigh(self, shares: Mapping[str, Share], most_moved: int) -> None:
        """Set new weights of the same workers, and move at most so many users towards them."""
        self.set_workers(shares, {})
        goals = self._settle_goals()
        held = self._totals()
        surplus = {name: held[name] - goals[name] for name in goals if held[name] > goals[name]}
        lack = {name: goals[name] - held[name] for name in goals if held[name] < goals[name]}
        moved = min(sum(surplus.values()), sum(lack.values()), most_moved)
        if self.count != self.goal or moved == sum(surplus.values()):
            return
        for part, sign in ((surplus, -1), (lack, 1)):
            bounds = {name: Share(size, size) for name, size in part.items()}
            for name, size in apportion(moved, bounds).items():
                goals[name] = held[name] + sign * size

    def forget(self, worker: str) -> None:
        """Note that a worker runs no users, whatever it is assigned."""
        if self.assigned.get(worker):
            self.assigned[worker] = {}
            self._change()

    def advance(
        self,
        batch: int,
        lingering: Mapping[str, int] | None = None,
        behind: Collection[str] = (),
    ) -> bool:
        """Take the next step of at most ``batch`` users; return whether anything changed.

        A user that moves is stopped in one step and started in a later one. ``lingering`` counts,
        by worker, the users that still run although they were stopped: the step starts none in
        their place, and none on their worker, where old and new users cannot be told apart. It
        moves no user away from workers that are ``behind``, because they may still start earlier
        users.
        """
        lingering = lingering or {}
        missing = self.goal - self.count
        if self.settled:
            return False
        self._settled = False
        if missing > 0:
            return self._add(min(batch, missing - sum(lingering.values())), lingering)
        if missing < 0:
            return self._remove(min(batch, -missing))
        size = min(batch, max(1, self.count * MOST_MOVED_PERCENT // 100))
        if surplus := self._surplus():
            return self._remove(min(size, surplus), behind)
        return self._remove_wrong_class(min(size, self._wrong_class()), behind)

    @property
    def _wanted(self) -> int:
        if any(kind.weight > 0 for kind in self._kinds if not kind.fixed):
            return self.target
        return min(self.target, sum(kind.fixed for kind in self._kinds))

    def _change(self) -> None:
        self._goals, self._settled = None, False

    def _settle_goals(self) -> dict[str, int]:
        if self._goals is None:
            self._goals = apportion(self.goal, self.shares, self._totals())
        return self._goals

    def _totals(self) -> dict[str, int]:
        return {worker: sum(users.values()) for worker, users in self.assigned.items()}

    def _surplus(self) -> int:
        goals = self._settle_goals()
        return sum(max(0, size - goals[worker]) for worker, size in self._totals().items())

    def _wrong_class(self) -> int:
        have, want = self._count_by_kind(), self._class_mix(self.goal)
        return sum(max(0, size - want.get(name, 0)) for name, size in have.items())

    def _count_by_kind(self) -> dict[str, int]:
        have = {kind.name: 0 for kind in self._kinds}
        for users in self.assigned.values():
            for name, size in users.items():
                have[name] = have.get(name, 0) + size
        return have

    def _class_mix(self, total: int) -> dict[str, int]:
        """Return a total's users by class; classes with a fixed number come first."""
        have = self._count_by_kind()
        fixed = {k.name: Share(k.fixed, k.fixed) for k in self._kinds if k.fixed}
        free = {k.name: Share(k.weight) for k in self._kinds if not k.fixed and k.weight > 0}
        first = apportion(min(total, sum(k.fixed for k in self._kinds)), fixed, have)
        rest = apportion(total - sum(first.values()), free, have) if free else {}
        return {**first, **rest}

    def _add(self, count: int, lingering: Mapping[str, int]) -> bool:
        goals, have = self._settle_goals(), self._count_by_kind()
        want = self._class_mix(self.count + count)
        missing = {name: size - have[name] for name, size in want.items() if size > have[name]}
        heap = [
            ((size + 0.5) / goals[worker], _sort_key(worker), worker, size)
            for worker, size in self._totals().items()
            if size < goals[worker] and worker not in lingering
        ]
        heapq.heapify(heap)
        before = count
        while heap and count > 0:
            count -= 1
            _, order, worker, size = heap[0]
            users = self.assigned[worker]
            # The class that this worker lacks most, so that every worker runs the same mix.
            name = min(missing, key=lambda kind: ((users.get(kind, 0) + 1) / want[kind], kind))
            users[name] = users.get(name, 0) + 1
            missing[name] -= 1
            if not missing[name]:
                del missing[name]
            if size + 1 < goals[worker]:
                entry = ((size + 1.5) / goals[worker], order, worker, size + 1)
                heapq.heapreplace(heap, entry)
            else:
                heapq.heappop(heap)
        return count < before

    def _remove(self, count: int, behind: Collection[str] = ()) -> bool:
        goals, have, want = (
            self._settle_goals(),
            self._count_by_kind(),
            self._class_mix(self.count - count),
        )
        heap = [
            (-(size - goals[worker]) / size, _sort_key(worker), worker, size)
            for worker, size in self._totals().items()
            if size > goals[worker] and worker not in behind
        ]
        heapq.heapify(heap)
        before = count
        while heap and count > 0:
            count -= 1
            _, order, worker, size = heapq.heappop(heap)
            users = self.assigned[worker]
            name = max(
                (kind for kind, number in users.items() if number),
                key=lambda kind: (have[kind] - want.get(kind, 0), users[kind], kind),
            )
            users[name] -= 1
            have[name] -= 1
            size -= 1
            if size > goals[worker]:
                heapq.heappush(heap, (-(size - goals[worker]) / size, order, worker, size))
        return count < before

    def _remove_wrong_class(self, count: int, behind: Collection[str]) -> bool:
        """Stop users of classes that have too many; later steps start others in their place."""
        have, want, before = self._count_by_kind(), self._class_mix(self.goal), count
        ready = [worker for worker in self.assigned if worker not in behind]
        for name in have:
            for worker in sorted(ready, key=lambda w: -self.assigned[w].get(name, 0)):
                size = min(
                    count, have[name] - want.get(name, 0), self.assigned[worker].get(name, 0)
                )
                if size > 0:
                    self.assigned[worker][name] -= size
                    have[name] -= size
                    count -= size
        return count < before


def _sort_key(worker: str) -> tuple[str, str]:
    """Sort by the random end of a worker's id, so that few users spread over all hosts."""
    host, _, end = worker.rpartition("_")
    return end, host
