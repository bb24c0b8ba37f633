"""Dispatch users by weights and limits, in place of Locust's dispatcher; rebalancer.py uses it.

Locust 2.47.0 (``UsersDispatcher``) leaves ``_dispatch_in_progress`` set after a rebalance, so
it does not rebalance when the next worker leaves. It starts all users of a lost worker at once,
whatever the spawn rate. And it divides users evenly, whatever a worker can carry.
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

from locust_fleet.master.dispatch.assignment import Kind, Plan, Share, Users

# How often a step that waits for a report checks for it.
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
        """Always true: otherwise Locust starts a dispatch, and reads no message meanwhile."""
        return True

    def get_current_user_count(self) -> int:
        """Return how many users the workers are assigned."""
        return self.plan.count

    def close(self) -> None:
        """Dispatch nothing more; a dispatch that is under way ends."""
        self._closed = True

    def new_dispatch(
        self,
        target_user_count: int,
        spawn_rate: float,
        user_classes: list[type[User]] | None = None,
    ) -> None:
        """Set a new target in users, and the spawn rate in users per second.

        An iteration towards the previous target ends. Raises ValueError for a negative target, and
        for a spawn rate that is not a finite number above 0.
        """
        if target_user_count < 0 or spawn_rate <= 0 or not math.isfinite(spawn_rate):
            raise ValueError(f"cannot run {target_user_count} users at {spawn_rate} per second")
        self._classes = list(user_classes or self._classes)
        self._batch = max(1, math.floor(spawn_rate))
        self._interval_s = self._batch / spawn_rate
        self._dispatches += 1
        self.plan.set_target(target_user_count, kinds_of(self._classes))

    def __iter__(self) -> Iterator[Users]:
        """Yield the users by worker and class after each step, until the target is reached."""
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
        """Take the next step, if one is due; return whether anything changed."""
        now, before = time.monotonic(), self.plan.count
        if self._closed or now < self._due:
            return False
        moving = before == self.plan.goal
        sizes = self._sizes()
        changed = self.plan.advance(self._batch, self._lingering(), self._behind(now))
        for worker, size in self._sizes().items():
            if size != sizes[worker]:
                self._assigned_at[worker] = now
        # Users that are stopped to be moved start elsewhere as soon as they have ended.
        if changed and not moving:
            self._due = now + self._interval_s
        return changed

    def users(self) -> Users:
        """Return the users that every worker is assigned, of all classes: a copy."""
        zero = {user_class.__name__: 0 for user_class in self._original_user_classes}
        return {worker: {**zero, **users} for worker, users in self.plan.assigned.items()}

    def follow(self, available: Sequence[WorkerNode]) -> None:
        """Plan for the workers that may have users, and for no others."""
        self._nodes = list(available)
        present = {worker.id for worker in available}
        self._assigned_at = {
            worker: at for worker, at in self._assigned_at.items() if worker in present
        }
        for worker in available:
            if worker.id not in self.plan.shares and self._dispatches:
                logger.info("worker %s joins the run", worker.id)
        self.plan.set_workers(
            self._shares(), {node.id: node.user_classes_count for node in available}
        )

    def adopt(
        self,
        assigned: Mapping[str, Mapping[str, int]],
        target_user_count: int,
        spawn_rate: float,
    ) -> None:
        """Continue from the users that the previous leader assigned, without moving any of them."""
        self.plan.adopt(assigned)
        self.new_dispatch(target_user_count, spawn_rate)

    def reweigh(self, most_moved: int) -> None:
        """Read the weights again, and move at most so many users towards them."""
        self.plan.reweigh(self._shares(), most_moved)

    def forget(self, worker: str) -> None:
        """Note that a worker runs no users, whatever it is assigned."""
        self.plan.forget(worker)

    def add_worker(self, worker_node: WorkerNode) -> None:
        """Do nothing; ``follow`` adds workers. Locust also calls this before one is ready."""

    def remove_worker(self, worker_node: WorkerNode) -> None:
        """Start a lost worker's users elsewhere."""
        self.follow([node for node in self._nodes if node.id != worker_node.id])

    def _shares(self) -> Mapping[str, Share]:
        return {node.id: self._share_of(node.id) for node in self._nodes}

    def _sizes(self) -> dict[str, int]:
        return {worker: sum(users.values()) for worker, users in self.plan.assigned.items()}

    def _behind(self, now: float) -> set[str]:
        """Return the workers that do not run yet what they were assigned a moment ago.

        One that hangs counts until its heartbeats are missed.
        """
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
    """Return the planner's view of Locust's classes of users."""
    return [Kind(each.__name__, each.weight, each.fixed_count) for each in user_classes]


def users_by_class(users: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """Return how many users of each class all workers are assigned together."""
    total: Counter[str] = Counter()
    for of_worker in users.values():
        total.update(of_worker)
    return dict(total)
