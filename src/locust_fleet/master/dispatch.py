"""Keep users at their target while workers come and go.

Five things of Locust 2.47.0 stand in the way, each with a test that shows it:

- A rebalance leaves ``_dispatch_in_progress`` set (``UsersDispatcher._dispatcher`` returns
  early), so that the next leave is not rebalanced.
- A worker that joins or leaves while the master waits for the reports after a ramp-up is
  marked for a rebalance that nobody starts.
- A worker that was late with its heartbeats is taken out; if a message about spawning comes
  before the next heartbeat, it counts as running again and nobody puts it back, so its users
  go on beside those that replaced them (``MasterRunner.handle_message``).
- After each rebalance the master waits up to a second for reports which it cannot read
  meanwhile (``MasterRunner.start`` in ``client_listener``): workers that leave together are
  replaced one a second.
- A worker that was missing for 60 heartbeats is forgotten by starting a new dispatcher, which
  takes the users down to zero and up again (``MasterRunner.heartbeat_worker``).
"""

from __future__ import annotations

from locust import runners
from locust.dispatch import UsersDispatcher
from locust.runners import (
    STATE_MISSING,
    STATE_RUNNING,
    STATE_SPAWNING,
    MasterRunner,
    WorkerNode,
)

import logging
from collections.abc import Generator, Sequence

import gevent

from locust_fleet.seams import replace

# Before Locust itself does it at HEARTBEAT_DEAD_INTERNAL, with room for a delayed look.
FORGET_AFTER_BEATS = runners.HEARTBEAT_DEAD_INTERNAL // 2

# Enough for reports that are on their way; see above.
REPORT_WAIT_S = 0.1

logger = logging.getLogger(__name__)


class SteadyDispatcher(UsersDispatcher):
    """Locust's dispatcher, ready for the next change as soon as one is dispatched."""

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
                logger.info("worker %s is back", worker.id)
                self.add_worker(worker)
        for worker in known:
            if worker.id not in wanted:
                self.remove_worker(worker)

    @property
    def rebalance_waits(self) -> bool:
        """Whether workers changed and the users were not yet moved."""
        return self._rebalance and not self._dispatch_in_progress


def keep_users_at_target(runner: MasterRunner) -> None:
    """Once per heartbeat, forever: follow who is there, and start a rebalance that waits."""
    replace(runner, "_wait_for_workers_report_after_ramp_up", lambda: REPORT_WAIT_S)
    while True:
        gevent.sleep(runners.HEARTBEAT_INTERVAL)
        forget_lost_workers(runner)
        dispatcher = runner._users_dispatcher
        if not isinstance(dispatcher, SteadyDispatcher) or runner.state != STATE_RUNNING:
            continue
        clients = runner.clients
        dispatcher.follow(clients.ready + clients.spawning + clients.running)
        if dispatcher.rebalance_waits:
            runner.start(runner.target_user_count, runner.spawn_rate)


def forget_lost_workers(runner: MasterRunner) -> None:
    """Drop workers that were missing for long; their users were moved when they went missing.

    Without a run they are dropped at once: Locust stays "stopping" as long as one is missing.
    """
    patience = FORGET_AFTER_BEATS if runner.state in (STATE_RUNNING, STATE_SPAWNING) else 0
    lost = [
        client.id
        for client in runner.clients.values()
        if client.state == STATE_MISSING and client.heartbeat <= patience
    ]
    for worker in lost:
        del runner.clients[worker]
        logger.info("forgot worker %s, which was lost", worker)
    if lost:
        runner.check_stopped()
