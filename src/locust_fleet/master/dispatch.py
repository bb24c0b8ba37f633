"""Locust's dispatcher, repaired where workers come and go; balance.py uses it.

Locust 2.47.0 leaves ``_dispatch_in_progress`` set after a rebalance
(``UsersDispatcher._dispatcher`` returns early), so that the next leave is not rebalanced.
"""

from __future__ import annotations

from locust.dispatch import UsersDispatcher
from locust.runners import WorkerNode

import logging
from collections.abc import Generator, Sequence

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

    @property
    def rebalance_waits(self) -> bool:
        """Whether workers changed and the users were not yet moved."""
        return self._rebalance and not self._dispatch_in_progress
