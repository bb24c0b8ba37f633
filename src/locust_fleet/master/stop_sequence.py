"""Let a stop be the end of a run.

Locust 2.47.0 does otherwise in five ways. The timer of the run time does not end the ramp-up
(``WebUI._stop_runners``; only ``/stop`` does), so users are spawned again after the stop. A spawn
that is just finishing sets the state back to running (``MasterRunner.start``). And a run whose
workers are all away counts as stopped without having been (``MasterRunner.check_stopped``).
And a ramp-up hands each message to spawn users to a greenlet of its own, which sends it after
the stop if that comes in between: the users start again, and nobody stops them. And it closes a
run as soon as it knows of no user, though workers may not yet have said that they started some.
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
from gevent.event import Event

from locust_fleet.locust_patches.patch import replace
from locust_fleet.master.dispatch.dispatcher import PacedDispatcher
from locust_fleet.master.workers.roster import GOODBYES

# Beyond the stop timeout, as Locust itself waits.
PATIENCE_S = 60
LOOK_EVERY_S = 0.02

logger = logging.getLogger(__name__)


def make_stop_final(runner: MasterRunner, web_ui: WebUI | None) -> Callable[[], None]:
    """From now on, a stop ends the ramp-up first, and nothing but a start leads out of it.

    Returns what waits, after users were told to stop, for the workers to say that they have. To be
    called before all who hold back what workers say until their reports are there.
    """
    stop, update_state = runner.stop, runner.update_state
    reset_connection = runner.reset_connection
    # Those that were told and have not said that their users stopped, and who was missing since.
    told: set[str] = set()
    missed: set[str] = set()
    under_way = Event()
    handle = runner.handle_message

    def final_stop(send_stop_to_client: bool = True) -> None:
        dispatcher = runner._users_dispatcher
        if isinstance(dispatcher, PacedDispatcher):
            dispatcher.close()
        ramp_up = web_ui._swarm_greenlet if web_ui else None
        if ramp_up is not None and ramp_up is not gevent.getcurrent():
            ramp_up.kill(block=True)
        if runner.state not in (STATE_RUNNING, STATE_SPAWNING):
            return
        told.clear()
        missed.clear()
        told.update(runner.clients if send_stop_to_client else ())
        under_way.set()
        try:
            stop(send_stop_to_client)
        finally:
            under_way.clear()
            runner.check_stopped()

    def wait_for_workers() -> None:
        began = time.monotonic()
        while True:
            missed.update(worker.id for worker in runner.clients.missing)
            patience_s = began + 2 * runners.HEARTBEAT_INTERVAL - time.monotonic()
            if not any(
                _owes_an_answer(runner, each, each in missed or patience_s > 0) for each in told
            ):
                break
            if time.monotonic() - began > runner.environment.stop_timeout + PATIENCE_S:
                logger.error("some workers did not say that their users have stopped")
                break
            gevent.sleep(LOOK_EVERY_S)

    def note_answers(client_id: str, message: Message) -> None:
        if message.type in GOODBYES:
            told.discard(message.node_id)
        handle(client_id, message)

    def guarded_update_state(new_state: str) -> None:
        # A start sets "spawning" before, and a stop "stopping", until its run is closed.
        stopped = runner.state in (STATE_STOPPING, STATE_STOPPED)
        goes_on = runner.state in (STATE_RUNNING, STATE_SPAWNING) or under_way.is_set()
        if (new_state == STATE_RUNNING and stopped) or (new_state == STATE_STOPPED and goes_on):
            return
        update_state(new_state)

    def guarded_reset_connection() -> None:
        before = runner.server
        reset_connection()
        # Where it failed, the socket is the one that is guarded already.
        if runner.server is not before:
            _spawn_only_in_a_run(runner)

    replace(runner, "stop", final_stop)
    replace(runner, "handle_message", note_answers)
    replace(runner, "update_state", guarded_update_state)
    replace(runner, "reset_connection", guarded_reset_connection)
    _spawn_only_in_a_run(runner)
    return wait_for_workers


def _owes_an_answer(runner: MasterRunner, worker: str, even_if_idle: bool) -> bool:
    """Whether a worker that has not answered a stop still may.

    One that is missing may come back with its reports, until it is forgotten. Who is there and
    says with heartbeats that it has nothing to stop did not hear of it.
    """
    node = runner.clients.get(worker)
    if node is None:
        return False
    return even_if_idle or node.state != STATE_INIT or node.user_count > 0


def _spawn_only_in_a_run(runner: MasterRunner) -> None:
    """Let nothing that spawns users leave through the present socket when no run is on."""
    send = runner.server.send_to_client

    def guarded_send(message: Message) -> None:
        if message.type != "spawn" or runner.state in (STATE_RUNNING, STATE_SPAWNING):
            send(message)

    replace(runner.server, "send_to_client", guarded_send)
