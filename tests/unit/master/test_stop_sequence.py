"""A stop is the end of a run, whatever was on its way."""

from locust.rpc import Message
from locust.rpc.zmqrpc import BaseSocket
from locust.runners import (
    STATE_MISSING,
    STATE_RUNNING,
    STATE_SPAWNING,
    STATE_STOPPED,
    STATE_STOPPING,
    MasterRunner,
    WorkerNode,
    WorkerNodes,
)
from locust.web import WebUI

from types import SimpleNamespace
from typing import Any, cast

import gevent
import pytest
from tests.unit.master.dispatch.test_dispatcher import Wire, runner_with

from locust_fleet.election.leadership import Leadership
from locust_fleet.master.dispatch.dispatcher import PacedDispatcher
from locust_fleet.master.server import FleetServer
from locust_fleet.master.stop_sequence import StopSequence
from locust_fleet.protocol.drop_counter import DropCounter


def ramp_up() -> tuple[MasterRunner, Any]:
    """Return a runner, and the UI whose ramp-up has begun a step."""
    workers = WorkerNodes()
    workers["a_1"] = WorkerNode("a_1", STATE_RUNNING)
    runner = runner_with(workers, STATE_RUNNING)
    environment = runner.environment
    environment.shape_class, environment.dispatcher_class = None, cast(Any, PacedDispatcher)
    web_ui = SimpleNamespace(_swarm_greenlet=gevent.spawn(MasterRunner.start, runner, 10, 10))
    return runner, web_ui


def test_locust_spawns_users_after_a_stop_that_comes_in_the_middle_of_a_step() -> None:
    runner, web_ui = ramp_up()
    gevent.sleep(0)
    web_ui._swarm_greenlet.kill()
    runner.stop()
    gevent.sleep(0.05)

    assert [message.type for message in cast(Wire, runner.server).sent] == ["stop", "spawn"]


def test_a_stop_ends_the_ramp_up_first() -> None:
    runner, web_ui = ramp_up()
    gevent.sleep(0)
    StopSequence(runner, cast(WebUI, web_ui)).stop(runner.stop, True)

    assert web_ui._swarm_greenlet.dead
    assert runner.state == STATE_STOPPING


def test_no_worker_is_sent_users_without_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr(BaseSocket, "send_to_client", lambda _, message: sent.append(message.type))
    runs = [True]
    server = FleetServer(
        "127.0.0.82",
        0,
        leadership=Leadership(None, 1, 1),
        drops=DropCounter(),
        in_a_run=lambda: runs[0],
    )

    for runs[0] in (True, False):
        for kind in ("spawn", "stop"):
            server.send_to_client(Message(kind, None, "w1"))
    server.socket.context.destroy(linger=0)

    assert sent == ["spawn", "stop", "stop"]


@pytest.mark.parametrize(
    ("state", "new_state", "allowed"),
    [
        (STATE_STOPPING, STATE_RUNNING, False),
        (STATE_STOPPED, STATE_RUNNING, False),
        (STATE_SPAWNING, STATE_RUNNING, True),
        (STATE_RUNNING, STATE_STOPPED, False),
        (STATE_STOPPING, STATE_STOPPED, True),
        (STATE_STOPPED, STATE_SPAWNING, True),
    ],
)
def test_only_a_start_changes_the_state_after_a_stop(
    state: str, new_state: str, allowed: bool
) -> None:
    runner = runner_with(WorkerNodes(), state)

    assert StopSequence(runner, None).allows(new_state) is allowed


def test_a_run_ends_only_when_each_worker_has_confirmed_or_is_forgotten() -> None:
    workers = WorkerNodes()
    workers["a_1"] = WorkerNode("a_1", STATE_SPAWNING)
    workers["b_2"] = WorkerNode("b_2", STATE_RUNNING)
    runner = runner_with(workers, STATE_RUNNING)
    runner.environment.shape_class = None
    sequence = StopSequence(runner, None)
    sequence.stop(runner.stop, True)

    waiting = gevent.spawn(sequence.wait_for_workers)
    sequence.handle(Message("client_stopped", None, "b_2"), lambda _: None)
    workers["a_1"].state = STATE_MISSING
    gevent.sleep(0.05)
    before = waiting.ready()
    del workers["a_1"]
    waiting.join(5)

    assert (before, waiting.ready()) == (False, True)
