"""Stop the users of a worker that hung or was cut off: other workers run them by then.

The master starts the users of a missing worker elsewhere. A worker of Locust 2.47.0 that returns
goes on with all of its own, beside those that replaced them. Here it stops them when it wakes up,
or when the master asks it to, and then confirms that. It reads older messages before the
confirmation is sent, so none of them starts users after it.
"""

from __future__ import annotations

from locust.runners import STATE_RUNNING, STATE_SPAWNING, WorkerRunner

import logging
import time
from typing import Any

import gevent

from locust_fleet.protocol.messages import AWOKE, GAVE_UP, GIVE_UP

POLL_INTERVAL_S = 0.5

logger = logging.getLogger(__name__)


class StallDetector:
    """Notices that this process was asleep, and stops its users then."""

    def __init__(self, runner: WorkerRunner, asleep_s: float) -> None:
        self._runner = runner
        self._asleep_s = asleep_s
        self._stopping: gevent.Greenlet[..., None] | None = None

    def attach(self) -> None:
        """Start to stop the users when the master asks for it; ``watch`` must run as well."""
        self._runner.register_message(GIVE_UP, self._on_give_up)

    def watch(self) -> None:
        """Check forever whether this process was asleep."""
        while True:
            before = time.monotonic()
            gevent.sleep(POLL_INTERVAL_S)
            slept_s = time.monotonic() - before - POLL_INTERVAL_S
            if slept_s >= self._asleep_s and self._runs:
                logger.warning("asleep for %.0f s; this worker stops its users", slept_s)
                self._give_up(AWOKE)

    @property
    def _runs(self) -> bool:
        return self._runner.worker_state in (STATE_RUNNING, STATE_SPAWNING)

    def _on_give_up(self, **_: Any) -> None:
        # The master repeats its request; users that are stopping need not be stopped again.
        if self._stopping is None or self._stopping.dead:
            self._stopping = self._give_up(GAVE_UP)

    def _give_up(self, confirmation: str) -> gevent.Greenlet[..., None]:
        """Stop all users, and any start that is under way; their requests count."""
        runner = self._runner
        if runner.spawning_greenlet:
            runner.spawning_greenlet.kill(block=True)
        runner.spawning_greenlet = runner.greenlet.spawn(self._stop_users, confirmation)
        return runner.spawning_greenlet

    def _stop_users(self, confirmation: str) -> None:
        if self._runs:
            self._runner.start_worker(dict.fromkeys(self._runner.user_classes_count, 0))
        self._runner.send_message(confirmation)
