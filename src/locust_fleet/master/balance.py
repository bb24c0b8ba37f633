"""Keep users at their target while workers come, leave, hang and return.

Locust 2.47.0 (``MasterRunner``) stands in the way in these places:

- A worker that joins or leaves while the master waits for the reports after a ramp-up is
  marked for a rebalance that nobody starts.
- A worker that was late is taken out; if a message about spawning comes before its next
  heartbeat, it counts as running and nobody puts it back, so its users go on beside those that
  replaced them.
- After each rebalance the master waits up to a second for reports which it cannot read
  meanwhile, so workers that leave together are replaced one a second.
- A worker that was missing for 60 heartbeats is forgotten by starting a new dispatcher, which
  takes the users down to zero and up again.
- The run ends in the moment in which no worker is there, also when all are only late.
"""

from __future__ import annotations

from locust import runners
from locust.runners import (
    STATE_MISSING,
    STATE_RUNNING,
    STATE_SPAWNING,
    MasterRunner,
    WorkerNode,
)

import logging
from typing import Any

import gevent

from locust_fleet.master.dispatch import SteadyDispatcher
from locust_fleet.seams import replace
from locust_fleet.worker.leave import LEAVING

# Before Locust itself does it at HEARTBEAT_DEAD_INTERNAL, with room for a delayed look.
FORGET_AFTER_BEATS = runners.HEARTBEAT_DEAD_INTERNAL // 2
# How long a run waits for a worker when there is none: a restart of all takes half of it.
ALONE_BEATS = 30
# Enough for reports that are on their way; see above.
REPORT_WAIT_S = 0.1

logger = logging.getLogger(__name__)


class Balance:
    """Moves users to the workers that are there."""

    def __init__(self, runner: MasterRunner) -> None:
        self._runner = runner
        self._stop = runner.stop
        self._leaving: set[str] = set()
        self._alone_beats = 0

    def attach(self) -> None:
        """Put the hooks on; ``watch`` must run as well."""
        replace(self._runner, "_wait_for_workers_report_after_ramp_up", lambda: REPORT_WAIT_S)
        replace(self._runner, "stop", self._stop_unless_alone)
        self._runner.register_message(LEAVING, self._on_leaving)

    def watch(self) -> None:
        """Look once per heartbeat, forever."""
        while True:
            gevent.sleep(runners.HEARTBEAT_INTERVAL)
            self.look()

    def look(self) -> None:
        """Forget lost workers, move users where it is due, end a run that nobody carries."""
        runner = self._runner
        self._forget_lost_workers()
        self._leaving &= set(runner.clients)
        if runner.state not in (STATE_RUNNING, STATE_SPAWNING):
            return
        self._alone_beats = 0 if runner.worker_count else self._alone_beats + 1
        if self._alone_beats > ALONE_BEATS:
            logger.error("no worker came back, stopping the run")
            self._stop()
        elif runner.state == STATE_RUNNING:
            self._follow()

    def present(self) -> list[WorkerNode]:
        """Return the workers that may have users."""
        clients = self._runner.clients
        there = clients.ready + clients.spawning + clients.running
        return [worker for worker in there if worker.id not in self._leaving]

    def _follow(self) -> None:
        runner, dispatcher = self._runner, self._runner._users_dispatcher
        if isinstance(dispatcher, SteadyDispatcher):
            dispatcher.follow(self.present())
            if dispatcher.rebalance_waits and self.present():
                runner.start(runner.target_user_count, runner.spawn_rate)

    def _on_leaving(self, msg: Any, **_: Any) -> None:
        """Start a leaving worker's users elsewhere at once; it may take long to finish its own."""
        self._leaving.add(msg.node_id)
        if self._runner.state == STATE_RUNNING:
            self._follow()

    def _forget_lost_workers(self) -> None:
        """Drop workers that were missing for long; their users were moved when they went missing.

        Without a run they are dropped at once: Locust stays "stopping" as long as one is missing.
        """
        runner = self._runner
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

    def _stop_unless_alone(self, *args: Any, **kwargs: Any) -> None:
        """Stop, unless it is Locust's own loops that ask: they do when the last worker is gone."""
        caller = getattr(gevent.getcurrent(), "_run", None)
        if caller in (self._runner.heartbeat_worker, self._runner.client_listener):
            logger.warning("no worker is there; the run waits %d heartbeats for one", ALONE_BEATS)
        else:
            self._stop(*args, **kwargs)
