"""Let a stop be the end of a run.

Locust 2.47.0 does otherwise in four ways. The timer of the run time does not end the ramp-up
(``WebUI._stop_runners``; only ``/stop`` does), so users are spawned again after the stop. A spawn
that is just finishing sets the state back to running (``MasterRunner.start``). A run whose
workers are all away counts as stopped without having been (``MasterRunner.check_stopped``).
And a ramp-up hands each message to spawn users to a greenlet of its own, which sends it after
the stop if that comes in between: the users start again, and nobody stops them.
"""

from __future__ import annotations

from locust.rpc import Message
from locust.runners import (
    STATE_RUNNING,
    STATE_SPAWNING,
    STATE_STOPPED,
    STATE_STOPPING,
    MasterRunner,
)
from locust.web import WebUI

from typing import Any

import gevent

from locust_fleet.master.dispatch import SteadyDispatcher
from locust_fleet.seams import replace


def make_stop_final(runner: MasterRunner, web_ui: WebUI | None) -> None:
    """From now on, a stop ends the ramp-up first, and nothing but a start leads out of it."""
    stop, update_state = runner.stop, runner.update_state
    reset_connection = runner.reset_connection

    def final_stop(*args: Any, **kwargs: Any) -> None:
        dispatcher = runner._users_dispatcher
        if isinstance(dispatcher, SteadyDispatcher):
            dispatcher.close()
        ramp_up = web_ui._swarm_greenlet if web_ui else None
        if ramp_up is not None and ramp_up is not gevent.getcurrent():
            ramp_up.kill(block=True)
        stop(*args, **kwargs)

    def guarded_update_state(new_state: str) -> None:
        # A start sets "spawning" before, and a stop "stopping".
        stopped = runner.state in (STATE_STOPPING, STATE_STOPPED)
        runs = runner.state in (STATE_RUNNING, STATE_SPAWNING)
        if (new_state == STATE_RUNNING and stopped) or (new_state == STATE_STOPPED and runs):
            return
        update_state(new_state)

    def guarded_reset_connection() -> None:
        before = runner.server
        reset_connection()
        # Where it failed, the socket is the one that is guarded already.
        if runner.server is not before:
            _spawn_only_in_a_run(runner)

    replace(runner, "stop", final_stop)
    replace(runner, "update_state", guarded_update_state)
    replace(runner, "reset_connection", guarded_reset_connection)
    _spawn_only_in_a_run(runner)


def _spawn_only_in_a_run(runner: MasterRunner) -> None:
    """Let nothing that spawns users leave through the present socket when no run is on."""
    send = runner.server.send_to_client

    def guarded_send(message: Message) -> None:
        if message.type != "spawn" or runner.state in (STATE_RUNNING, STATE_SPAWNING):
            send(message)

    replace(runner.server, "send_to_client", guarded_send)
