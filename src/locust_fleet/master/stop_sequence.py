"""Make a stop final: end the ramp-up, stop the users, and wait for every worker's last report.

Locust 2.47.0 fails to in four ways. The timer of the run time does not end the ramp-up
(``WebUI._stop_runners``; only ``/stop`` does), so users spawn again after the stop. A spawn that is
just finishing sets the state back to running (``MasterRunner.start``). A run whose workers are all
missing counts as stopped although it is not (``MasterRunner.check_stopped``). And it closes a run
as soon as it knows of no users, although workers may not have reported yet that they started some.
"""

from __future__ import annotations

from locust import runners
from locust.rpc import Message
from locust.runners import (
    STATE_INIT,
    STATE_RUNNING,
    STATE_SPAWNING,
    STATE_STOPPED,
    STATE_STOPPING,
    MasterRunner,
)
from locust.web import WebUI

import logging
import time
from collections.abc import Callable

import gevent

from locust_fleet.master.dispatch.dispatcher import PacedDispatcher
from locust_fleet.master.workers.roster import GOODBYES
from locust_fleet.protocol.message_stages import Forward

# Seconds that a stop waits for workers beyond the stop timeout, as in Locust itself.
WORKERS_TIMEOUT_S = 60
POLL_INTERVAL_S = 0.02

logger = logging.getLogger(__name__)


class StopSequence:
    """Ends the ramp-up before a stop, and knows which workers have not confirmed the stop.

    After a stop, only a start changes the state again. It is also a stage of messages.
    """

    def __init__(self, runner: MasterRunner, web_ui: WebUI | None) -> None:
        self._runner = runner
        self._web_ui = web_ui
        # The workers that were told to stop, and have not confirmed that their users stopped.
        self._awaited: set[str] = set()
        # The workers that have been missing since the stop.
        self._was_missing: set[str] = set()
        self._under_way = False

    def handle(self, message: Message, forward: Forward) -> None:
        """Note a worker that confirms a stop or leaves. A stage."""
        if message.type in GOODBYES:
            self._awaited.discard(message.node_id)
        forward(message)

    def stop(self, locust_stop: Callable[[bool], None], send_stop_to_client: bool) -> None:
        """End the ramp-up, and then the run, if there is one, with Locust's own stop."""
        runner = self._runner
        if isinstance(runner._users_dispatcher, PacedDispatcher):
            runner._users_dispatcher.close()
        ramp_up = self._web_ui._swarm_greenlet if self._web_ui else None
        if ramp_up is not None and ramp_up is not gevent.getcurrent():
            ramp_up.kill(block=True)
        if runner.state not in (STATE_RUNNING, STATE_SPAWNING):
            return
        self._awaited = set(runner.clients) if send_stop_to_client else set()
        self._was_missing.clear()
        self._under_way = True
        try:
            locust_stop(send_stop_to_client)
        finally:
            self._under_way = False
            runner.check_stopped()

    def allows(self, new_state: str) -> bool:
        """Whether the runner may change from its present state to this one."""
        state = self._runner.state
        # A start sets "spawning" first; a stop sets "stopping" until its run is closed.
        stopped = state in (STATE_STOPPING, STATE_STOPPED)
        goes_on = state in (STATE_RUNNING, STATE_SPAWNING) or self._under_way
        return not (
            (new_state == STATE_RUNNING and stopped) or (new_state == STATE_STOPPED and goes_on)
        )

    def wait_for_workers(self) -> None:
        """Wait until each worker that was told to stop has confirmed it, or cannot any more."""
        began = time.monotonic()
        while True:
            self._was_missing.update(worker.id for worker in self._runner.clients.missing)
            left_s = began + 2 * runners.HEARTBEAT_INTERVAL - time.monotonic()
            if not any(
                self._may_still_answer(
                    worker, even_if_idle=worker in self._was_missing or left_s > 0
                )
                for worker in self._awaited
            ):
                break
            limit_s = self._runner.environment.stop_timeout + WORKERS_TIMEOUT_S
            if time.monotonic() - began > limit_s:
                logger.error(
                    "some workers did not confirm within %d s that their users have stopped",
                    limit_s,
                )
                break
            gevent.sleep(POLL_INTERVAL_S)

    def _may_still_answer(self, worker: str, *, even_if_idle: bool) -> bool:
        """Whether a worker that has not confirmed a stop still may.

        A missing worker may return with its reports, until it is forgotten. A connected one whose
        heartbeats show no users has missed the stop.
        """
        node = self._runner.clients.get(worker)
        if node is None:
            return False
        return even_if_idle or node.state != STATE_INIT or node.user_count > 0
