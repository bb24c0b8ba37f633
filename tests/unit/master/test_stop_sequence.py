"""A stop is the end of a run, whatever was on its way."""

from locust.rpc import Message
from locust.runners import (
    STATE_MISSING,
    STATE_RUNNING,
    STATE_SPAWNING,
    MasterRunner,
    WorkerNode,
    WorkerNodes,
)
from locust.web import WebUI

from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import gevent
from tests.unit.master.dispatch.test_dispatcher import Wire, runner_with

from locust_fleet.master.dispatch.dispatcher import PacedDispatcher
from locust_fleet.master.stop_sequence import make_stop_final


def stopped_while_spawn_messages_leave(final: bool) -> list[str]:
    """Stop a ramp-up that has begun a step; returns the messages to the worker in their order."""
    workers = WorkerNodes()
    workers["a_1"] = WorkerNode("a_1", STATE_RUNNING)
    runner = runner_with(workers, STATE_RUNNING)
    environment = runner.environment
    environment.shape_class, environment.dispatcher_class = None, cast(Any, PacedDispatcher)
    runner.update_state = partial(setattr, runner, "state")  # type: ignore[method-assign]
    wire = cast(Wire, runner.server)
    web_ui = SimpleNamespace(_swarm_greenlet=None)
    if final:
        make_stop_final(runner, cast(WebUI, web_ui))
    web_ui._swarm_greenlet = gevent.spawn(MasterRunner.start, runner, 10, 10)
    gevent.sleep(0)
    if not final:
        web_ui._swarm_greenlet.kill()
    runner.stop()
    gevent.sleep(0.05)
    return [message.type for message in wire.sent]


def test_locust_spawns_users_after_a_stop_that_comes_in_the_middle_of_a_step() -> None:
    assert stopped_while_spawn_messages_leave(final=False) == ["stop", "spawn"]


def test_nobody_is_told_to_spawn_users_after_a_stop() -> None:
    assert stopped_while_spawn_messages_leave(final=True) == ["stop"]


def test_a_run_is_not_over_before_each_worker_has_said_so_or_is_forgotten() -> None:
    workers = WorkerNodes()
    workers["a_1"] = WorkerNode("a_1", STATE_SPAWNING)
    workers["b_2"] = WorkerNode("b_2", STATE_RUNNING)
    runner = runner_with(workers, STATE_RUNNING)
    runner.environment.shape_class = None
    runner.update_state = partial(setattr, runner, "state")  # type: ignore[method-assign]
    runner.handle_message = lambda *_: None  # type: ignore[method-assign]
    wait_for_workers = make_stop_final(runner, None)
    runner.stop()

    waiting = gevent.spawn(wait_for_workers)
    runner.handle_message("b_2", Message("client_stopped", None, "b_2"))
    workers["a_1"].state = STATE_MISSING
    gevent.sleep(0.05)
    before = waiting.ready()
    del workers["a_1"]
    waiting.join(5)

    assert (before, waiting.ready()) == (False, True)


def test_a_connection_that_could_not_be_made_anew_is_guarded_as_it_was() -> None:
    runner = runner_with(WorkerNodes(), STATE_RUNNING)
    runner.reset_connection = lambda: None  # type: ignore[method-assign]
    make_stop_final(runner, None)
    send = runner.server.send_to_client

    runner.reset_connection()

    assert runner.server.send_to_client is send
