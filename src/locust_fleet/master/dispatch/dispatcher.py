"""Locust's dispatcher, replaced by one that plans for weights and limits; rebalancer.py uses it.

Locust 2.47.0 (``UsersDispatcher``) leaves ``_dispatch_in_progress`` set after a rebalance, so
that the next leave is not rebalanced; it starts all users of a worker that left at once, whatever
the spawn rate; and it divides evenly, whatever a worker can bear.
"""

from __future__ import annotations

from locust import User, runners
from locust.dispatch import UsersDispatcher
from locust.runners import WorkerNode

import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import gevent

from locust_fleet.master.dispatch.planner import Kind, Plan, Share, Users

# How soon to look again where a step waits for a report.
STEP_POLL_S = 0.1

logger = logging.getLogger(__name__)


class PacedDispatcher(UsersDispatcher):
    """Starts and moves users at the spawn rate, one step after another."""

    def __init__(
        self,
        worker_nodes: list[WorkerNode],
        user_classes: list[type[User]],
        share_of: Callable[[str], Share] = lambda _: Share(),
    ) -> None:
        self.plan = Plan(kinds_of(user_classes))
        super().__init__(worker_nodes=list(worker_nodes), user_classes=user_classes)
        self._classes = list(user_classes)
        self._share_of = share_of
        self._closed = False
        self._dispatches = 0
        self._due = 0.0
        self._assigned_at: dict[str, float] = {}
        self._batch, self._interval_s = 1, 1.0
        self._nodes: list[WorkerNode] = []
        self.follow(worker_nodes)

    @property
    def dispatch_in_progress(self) -> bool:
        """Always: whenever it is not, Locust starts one and reads no message meanwhile."""
        return True

    def get_current_user_count(self) -> int:
        """Return how many users the workers were told to run."""
        return self.plan.count

    def close(self) -> None:
        """Dispatch nothing more, also where somebody is in the middle of it."""
        self._closed = True

    def new_dispatch(
        self,
        target_user_count: int,
        spawn_rate: float,
        user_classes: list[type[User]] | None = None,
    ) -> None:
        """Set another target; whoever iterates for the one before comes to an end."""
        if target_user_count < 0 or spawn_rate <= 0 or not math.isfinite(spawn_rate):
            raise ValueError(f"cannot run {target_user_count} users at {spawn_rate} per second")
        self._classes = list(user_classes or self._classes)
        self._batch = max(1, math.floor(spawn_rate))
        self._interval_s = self._batch / spawn_rate
        self._dispatches += 1
        self.plan.set_target(target_user_count, kinds_of(self._classes))

    def __iter__(self) -> Iterator[Users]:
        """Yield what every worker is to run, step by step, until the target is reached."""
        mine = self._dispatches
        while True:
            self.step()
            yield self.users()
            if self._closed or mine != self._dispatches or self.plan.count == self.plan.goal:
                return
            gevent.sleep(max(STEP_POLL_S, self._due - time.monotonic()))
            if self._closed or mine != self._dispatches:
                return

    def step(self) -> bool:
        """Take one step, if it is time for one; returns whether anything changed."""
        now, before = time.monotonic(), self.plan.count
        if self._closed or now < self._due:
            return False
        moving = before == self.plan.goal
        sizes = self._sizes()
        changed = self.plan.advance(self._batch, self._lingering(), self._behind(now))
        for worker, size in self._sizes().items():
            if size != sizes[worker]:
                self._assigned_at[worker] = now
        # Users that are stopped to be moved start again as soon as they have ended.
        if changed and not moving:
            self._due = now + self._interval_s
        return changed

    def users(self) -> Users:
        """Return a copy of what every worker is to run, with all classes."""
        zero = {user_class.__name__: 0 for user_class in self._original_user_classes}
        return {worker: {**zero, **users} for worker, users in self.plan.assigned.items()}

    def follow(self, present: Sequence[WorkerNode]) -> None:
        """Take in workers that are there, and leave out those that are not."""
        self._nodes = list(present)
        there = {worker.id for worker in present}
        self._assigned_at = {
            worker: at for worker, at in self._assigned_at.items() if worker in there
        }
        for worker in present:
            if worker.id not in self.plan.shares and self._dispatches:
                logger.info("worker %s takes part", worker.id)
        self.plan.set_workers(
            self._shares(), {node.id: node.user_classes_count for node in present}
        )

    def adopt(
        self,
        assigned: Mapping[str, Mapping[str, int]],
        target_user_count: int,
        spawn_rate: float,
    ) -> None:
        """Go on from what workers were told by the master before, without moving any user."""
        self.plan.adopt(assigned)
        self.new_dispatch(target_user_count, spawn_rate)

    def reweigh(self, most_moved: int) -> None:
        """Read the weights anew, and move so many users at most towards them."""
        self.plan.reweigh(self._shares(), most_moved)

    def forget(self, worker: str) -> None:
        """Take note that a worker runs nothing, whatever it was told."""
        self.plan.forget(worker)

    def add_worker(self, worker_node: WorkerNode) -> None:
        """Wait for ``follow``: Locust also calls this for workers that are not ready for users."""

    def remove_worker(self, worker_node: WorkerNode) -> None:
        """Start a lost worker's users elsewhere."""
        self.follow([node for node in self._nodes if node.id != worker_node.id])

    def _shares(self) -> Mapping[str, Share]:
        return {node.id: self._share_of(node.id) for node in self._nodes}

    def _sizes(self) -> dict[str, int]:
        return {worker: sum(users.values()) for worker, users in self.plan.assigned.items()}

    def _behind(self, now: float) -> set[str]:
        """Return who does not run yet what it was told just now; whoever hangs is missed soon."""
        sizes, assigned_at = self._sizes(), self._assigned_at
        catch_up_timeout_s = runners.HEARTBEAT_INTERVAL * (runners.HEARTBEAT_LIVENESS + 2)
        return {
            node.id
            for node in self._nodes
            if node.user_count != sizes[node.id]
            and now - assigned_at.get(node.id, -catch_up_timeout_s) < catch_up_timeout_s
        }

    def _lingering(self) -> dict[str, int]:
        sizes = self._sizes()
        over = {node.id: node.user_count - sizes[node.id] for node in self._nodes}
        return {worker: users for worker, users in over.items() if users > 0}


def kinds_of(user_classes: Sequence[type[User]]) -> list[Kind]:
    """Return what the plan needs to know of Locust's classes."""
    return [Kind(each.__name__, each.weight, each.fixed_count) for each in user_classes]


def users_by_class(users: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """Return how many users of each class all workers are to run together."""
    total: Counter[str] = Counter()
    for of_worker in users.values():
        total.update(of_worker)
    return dict(total)
