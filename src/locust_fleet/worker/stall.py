"""Give up the users of a worker that was away: others run in their place by then.

A process that hangs or is cut off is lost to the master, which starts its users elsewhere. Locust
2.47.0 goes on with all of them when it is back, beside those that replaced them. Here it stops
them as soon as it wakes up, or when the master says so, and then says that it has. What it was
told before it was away is read first, so after that word nothing old starts them again.
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
    """What a worker does about having been away."""

    def __init__(self, runner: WorkerRunner, asleep_s: float) -> None:
        self._runner = runner
        self._asleep_s = asleep_s
        self._stopping: gevent.Greenlet[..., None] | None = None

    def attach(self) -> None:
        """From now on, do as the master says; ``watch`` must run as well."""
        self._runner.register_message(GIVE_UP, self._on_give_up)

    def watch(self) -> None:
        """Look forever whether this process was asleep."""
        while True:
            before = time.monotonic()
            gevent.sleep(POLL_INTERVAL_S)
            slept_s = time.monotonic() - before - POLL_INTERVAL_S
            if slept_s >= self._asleep_s and self._runs:
                logger.warning("asleep for %.0f s; other workers have this one's users", slept_s)
                self._give_up(AWOKE)

    @property
    def _runs(self) -> bool:
        return self._runner.worker_state in (STATE_RUNNING, STATE_SPAWNING)

    def _on_give_up(self, **_: Any) -> None:
        # The master repeats itself; users that finish their requests need not begin to anew.
        if self._stopping is None or self._stopping.dead:
            self._stopping = self._give_up(GAVE_UP)

    def _give_up(self, say: str) -> gevent.Greenlet[..., None]:
        """Stop all users, in the place of whatever starts some; their requests are counted."""
        runner = self._runner
        if runner.spawning_greenlet:
            runner.spawning_greenlet.kill(block=True)
        runner.spawning_greenlet = runner.greenlet.spawn(self._stop_users, say)
        return runner.spawning_greenlet

    def _stop_users(self, say: str) -> None:
        if self._runs:
            self._runner.start_worker(dict.fromkeys(self._runner.user_classes_count, 0))
        self._runner.send_message(say)
