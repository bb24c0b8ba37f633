"""Give up the users of a worker that was asleep: others run in their place by then.

A process that hangs is lost to the master, which starts its users elsewhere. Locust 2.47.0 goes
on with all of them when it wakes up, beside those that replaced them.
"""

from __future__ import annotations

from locust.runners import STATE_RUNNING, STATE_SPAWNING, WorkerRunner

import logging
import time

import gevent

LOOK_S = 0.5
# The message of a worker that gave up its users; master/balance.py acts on it.
AWOKE = "awoke"

logger = logging.getLogger(__name__)


def give_up_after(runner: WorkerRunner, asleep_s: float) -> None:
    """Look forever whether this process was asleep for so long."""
    while True:
        before = time.monotonic()
        gevent.sleep(LOOK_S)
        slept_s = time.monotonic() - before - LOOK_S
        if slept_s >= asleep_s and runner.worker_state in (STATE_RUNNING, STATE_SPAWNING):
            logger.warning("asleep for %.0f s; other workers have this one's users", slept_s)
            _give_up(runner)


def _give_up(runner: WorkerRunner) -> None:
    if runner.spawning_greenlet:
        runner.spawning_greenlet.kill(block=True)
    nobody = dict.fromkeys(runner.user_classes_count, 0)
    runner.send_message(AWOKE)
    # As if the master had said so; requests in flight end and are counted.
    runner.spawning_greenlet = runner.greenlet.spawn(runner.start_worker, nobody)
