"""Locust's dispatcher, repaired where workers come and go; balance.py uses it.

Locust 2.47.0 leaves ``_dispatch_in_progress`` set after a rebalance
(``UsersDispatcher._dispatcher`` returns early), so that the next leave is not rebalanced.
"""

from __future__ import annotations

from locust.dispatch import UsersDispatcher
from locust.runners import WorkerNode

import itertools
import logging
from collections.abc import Generator, Mapping, Sequence

logger = logging.getLogger(__name__)


class SteadyDispatcher(UsersDispatcher):
    """Locust's dispatcher, ready for the next change as soon as one is dispatched."""

    _closed = False

    def close(self) -> None:
        """Dispatch nothing more, also where somebody is in the middle of it."""
        self._closed = True

    def __next__(self) -> dict[str, dict[str, int]]:
        if self._closed:
            raise StopIteration
        return super().__next__()

    def _dispatcher(self) -> Generator[dict[str, dict[str, int]], None, None]:
        try:
            yield from super()._dispatcher()
        finally:
            self._dispatch_in_progress = False

    def follow(self, present: Sequence[WorkerNode]) -> None:
        """Take in workers that are there, and leave out those that are not."""
        known, wanted = self._worker_nodes, {worker.id for worker in present}
        for worker in present:
            if worker.id not in {node.id for node in known}:
                logger.info("worker %s takes part again", worker.id)
                self.add_worker(worker)
        for worker in known:
            if worker.id not in wanted:
                self.remove_worker(worker)

    def take_over(self, users: Mapping[str, Mapping[str, int]]) -> None:
        """Go on from the users of each class that each worker has, without moving any."""
        for worker in self._worker_nodes:
            row = self._users_on_workers[worker.id]
            row |= {name: count for name, count in users[worker.id].items() if name in row}
        self._current_user_count = self.get_current_user_count()
        self._active_users = in_turns(self._worker_nodes, self._users_on_workers)
        fixed = {user.__name__ for user in self._user_classes if user.fixed_count}
        if not fixed:
            # The classes of those to come depend on the classes of those that are there.
            for _ in self._active_users:
                next(self._user_generator)
        totals = [sum(self._users_on_workers[worker.id].values()) for worker in self._worker_nodes]
        fewest = totals.index(min(totals))
        turns = self._worker_nodes[fewest:] + self._worker_nodes[:fewest]
        self._worker_node_generator = itertools.cycle(turns)

    @property
    def rebalance_waits(self) -> bool:
        """Whether workers changed and the users were not yet moved."""
        return self._rebalance and not self._dispatch_in_progress


def in_turns(
    workers: Sequence[WorkerNode], users: Mapping[str, Mapping[str, int]]
) -> list[tuple[WorkerNode, str]]:
    """Return the users as if they had been started one by one, each worker in its turn."""
    rows = [
        [(worker, name) for name, count in sorted(users[worker.id].items()) for _ in range(count)]
        for worker in workers
    ]
    turns = itertools.zip_longest(*rows)
    return [user for turn in turns for user in turn if user is not None]
