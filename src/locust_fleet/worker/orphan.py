"""Tell a new master what this worker runs; stop users that have had no master for too long.

Locust 2.47.0 lets a worker say only once that it is ready, so a master that starts during a run
never learns of it. Only the master ends a run; without one, users go on until the worker ends
itself (``WorkerRunner.heartbeat_timeout_checker``), and its counts are lost.
"""

from __future__ import annotations

from locust import runners
from locust.runners import STATE_RUNNING, STATE_SPAWNING, WorkerRunner

import logging
import time
from collections.abc import Callable
from typing import Any

import gevent

from locust_fleet.protocol.messages import HERE, RUN, WHO
from locust_fleet.worker.drain import Drain
from locust_fleet.worker.leader_connection import LeaderConnection
from locust_fleet.worker.resend_buffer import ResendBuffer

logger = logging.getLogger(__name__)


class OrphanWatch:
    """Answers a master that asks what this worker runs, and stops users without a master."""

    def __init__(
        self,
        runner: WorkerRunner,
        drain: Drain,
        run_id: Callable[[], str | None],
        ends_at: Callable[[], float | None],
        ghost_limit_s: float,
        connection: LeaderConnection,
        resend_buffer: ResendBuffer,
    ) -> None:
        self._runner = runner
        self._drain = drain
        self._resend_buffer = resend_buffer
        self._run_id = run_id
        self._ends_at = ends_at
        self._ghost_limit_s = ghost_limit_s
        self._connection = connection

    def attach(self) -> None:
        """Start to answer; ``watch`` must run as well."""
        self._runner.register_message(WHO, self._answer)

    def watch(self) -> None:
        """Check once per heartbeat, forever, whether users run that should not."""
        while True:
            gevent.sleep(runners.HEARTBEAT_INTERVAL)
            self.check(time.time())

    def check(self, now: float) -> None:
        """Stop the users if there is no master, and the run or the limit without one has ended.

        ``now`` is in seconds since 1970. Reports are kept until a master asks for them.
        """
        # A master ends the run itself.
        if not self._has_users() or not self._connection.lost:
            return
        ends_at = self._ends_at()
        if ends_at is not None and now > ends_at:
            logger.warning("the run time has passed without a master; this worker stops its users")
            self._drain.stop_run()
        elif self._connection.silent_s > self._ghost_limit_s:
            logger.error(
                "no master for %d s; this worker stops its users until one leads",
                self._connection.silent_s,
            )
            self._drain.stop_run()

    def _has_users(self) -> bool:
        return self._runner.worker_state in (STATE_RUNNING, STATE_SPAWNING)

    def _answer(self, **_: Any) -> None:
        if self._drain.draining:
            return
        runner = self._runner
        self._runner.send_message(
            HERE,
            {
                # Once it has stopped its users without a master, the run of its kept reports.
                RUN: self._run_id() or self._resend_buffer.run,
                "state": runner.worker_state,
                # The users that it is assigned, as some may be starting just now.
                "users": dict(runner.target_user_classes_count) if self._has_users() else {},
                "user_classes_count": runner.user_classes_count,
            },
        )
