"""Decide which worker runs how many users of which class. Pure.

A worker's part follows its weight, within one user and up to its limit. When workers come and go
as few users as possible move: of all divisions that are within one user, the one is taken that
is nearest to what runs already.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

# Weights count in parts of the largest one, so that dividing is exact.
WEIGHT_SCALE = 10**9
# Of all users, so many percent are on the way from one worker to another at most.
MOST_MOVED_PERCENT = 10

Users = dict[str, dict[str, int]]


@dataclass(frozen=True)
class Share:
    """A worker's part of the users: its weight beside others', and its most users, if any."""

    weight: float = 1.0
    limit: int | None = None


@dataclass(frozen=True)
class Kind:
    """A class of users: its weight among classes, or the fixed number there is of it."""

    name: str
    weight: float
    fixed: int = 0


def apportion(
    total: int, shares: Mapping[str, Share], held: Mapping[str, int] | None = None
) -> dict[str, int]:
    """Divide a total by weight up to the limits; who holds more already keeps what it may.

    Each gets its exact part rounded down or up. Less than the total is given when all are full.
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
    """What each worker was told to run, and the next step from there to the target.

    ``told``, ``shares`` and ``target`` are plain data; everything else follows from them.
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
        """Users that workers were told to run."""
        return sum(sum(users.values()) for users in self.assigned.values())

    @property
    def capacity(self) -> int | None:
        """The most users that these workers may run together; None without a limit."""
        limits = [share.limit for share in self.shares.values()]
        known = [limit for limit in limits if limit is not None]
        return sum(known) if len(known) == len(limits) else None

    @property
    def over_capacity(self) -> int:
        """Users that are wanted and cannot run, because every worker is full."""
        if not self.shares or self.capacity is None:
            return 0
        return max(0, self._wanted - self.capacity)

    @property
    def goal(self) -> int:
        """Users that are to run in the end."""
        return self._wanted - self.over_capacity if self.shares else 0

    @property
    def goals(self) -> Mapping[str, int]:
        """Users that each worker is to run in the end."""
        return self._settle_goals()

    @property
    def settled(self) -> bool:
        """Whether nothing is left to do."""
        if not self._settled:
            self._settled = (
                self.count == self.goal and not self._surplus() and not self._wrong_class()
            )
        return self._settled

    def set_target(self, target: int, kinds: Sequence[Kind]) -> None:
        """Set how many users there are to be, of which classes."""
        self.target = target
        self._kinds = tuple(kinds)
        self._change()

    def set_workers(
        self, shares: Mapping[str, Share], running: Mapping[str, Mapping[str, int]]
    ) -> None:
        """Set who is there; who is new runs what ``running`` says of it, or nothing."""
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
        """Go on from what workers were told by the master before."""
        self.assigned |= {
            worker: dict(users) for worker, users in assigned.items() if worker in self.assigned
        }
        self._change()

    def reweigh(self, shares: Mapping[str, Share], most_moved: int) -> None:
        """Set other weights for the same workers, and move so many users at most towards them."""
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
        """Take note that a worker runs nothing, whatever it was told."""
        if self.assigned.get(worker):
            self.assigned[worker] = {}
            self._change()

    def advance(
        self,
        batch: int,
        lingering: Mapping[str, int] | None = None,
        behind: Collection[str] = (),
    ) -> bool:
        """Take the next step of so many users at most; returns whether anything changed.

        A user that moves is stopped in one step and started in a later one. ``lingering`` users
        of a worker were told to stop and have not done so: nobody is started in their place, nor
        on their worker, which could not tell the one from the other. Nobody is moved from workers
        that are ``behind``: they may still start what they were told before.
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
        """Return how many of each class there are among so many: fixed ones first."""
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
            # What the worker has least of, so that every worker runs the mix.
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
        """Stop users of classes of which there are too many; others start in their place."""
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
    """Sort by the random end of a worker's id, so that few users spread over the hosts."""
    host, _, end = worker.rpartition("_")
    return end, host
