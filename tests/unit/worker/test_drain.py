"""A worker that leaves, or whose run is stopped, reports first and starts nothing again."""

from locust.event import Events
from locust.rpc import Message
from locust.runners import STATE_INIT, STATE_RUNNING, WorkerRunner

from typing import Any, cast

import gevent
import pytest

from locust_fleet.protocol.message_stages import Forward, chain
from locust_fleet.protocol.messages import ACKNOWLEDGED, ARRIVALS, WHO
from locust_fleet.worker.drain import Drain
from locust_fleet.worker.resend_buffer import ResendBuffer


class Runner:
    """A worker's runner that notes what happens to it, in order."""

    client_id = "w1"

    def __init__(self, events: Events) -> None:
        self.happened: list[str] = []
        self.worker_state = STATE_RUNNING
        self.client = self
        self.target_user_classes_count: dict[str, int] = {}
        self.last_received_spawn_timestamp = 9e9
        self.takes_s = 0.0
        self._events = events
        self.receive: Forward = self._handle_as_locust

    def handle_message(self, message: Message) -> None:
        self.receive(message)

    def _handle_as_locust(self, message: Message) -> None:
        self.happened.append(f"handled {message.type}")

    def stop(self) -> None:
        gevent.sleep(self.takes_s)
        self.happened.append("users stopped")
        self._events.test_stop.fire(environment=None)

    def _send_stats(self) -> None:
        self.happened.append("report sent")

    def send_message(self, kind: str) -> None:
        self.happened.append(f"{kind} sent")

    def send(self, message: Message) -> None:
        self.happened.append(f"{message.type} sent")


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def runner(events: Events) -> Any:
    runner = Runner(events)
    kept = ResendBuffer(cast(WorkerRunner, runner), lambda: None)
    drain = Drain(cast(WorkerRunner, runner), kept)
    runner.receive = chain((drain,), runner.receive)
    events.test_stop.add_listener(lambda **_: runner._send_stats())
    events.quitting.add_listener(lambda **_: drain.drain())
    return runner


def message(kind: str) -> Message:
    return Message(kind, {"user_classes_count": {"User": 3}} if kind == "spawn" else None, "w1")


def stop(runner: Any) -> None:
    """Tell it to stop, and return once it has."""
    runner.handle_message(message("stop"))
    runner.handle_message(message("reconnect"))
    runner.happened.remove("handled reconnect")


def test_the_last_report_comes_before_the_confirmation_of_a_stop(runner: Any) -> None:
    stop(runner)

    assert runner.happened == [
        "users stopped",
        "report sent",
        "client_stopped sent",
        "client_ready sent",
    ]


def test_after_a_stop_the_worker_is_ready_at_once(runner: Any) -> None:
    stop(runner)

    assert runner.worker_state == STATE_INIT


def test_a_worker_that_quits_stops_its_users_and_reports(runner: Any, events: Events) -> None:
    events.quitting.fire(environment=None, reverse=True)

    assert runner.happened == ["leaving sent", "users stopped", "report sent"]


def test_a_worker_that_quits_starts_no_users_again(runner: Any, events: Events) -> None:
    events.quitting.fire(environment=None, reverse=True)
    runner.happened.clear()

    runner.handle_message(message("spawn"))

    assert runner.happened == []


def test_other_messages_are_handled_by_locust(runner: Any) -> None:
    runner.handle_message(message("spawn"))
    runner.handle_message(message("heartbeat"))

    assert runner.happened == ["handled spawn", "handled heartbeat"]


def test_a_worker_whose_users_stop_answers_a_new_leader(runner: Any) -> None:
    runner.takes_s = 0.1

    for kind in ("stop", ARRIVALS, WHO, ACKNOWLEDGED, "spawn"):
        runner.handle_message(message(kind))

    assert runner.happened == [
        f"handled {ARRIVALS}",
        f"handled {WHO}",
        f"handled {ACKNOWLEDGED}",
        "users stopped",
        "report sent",
        "client_stopped sent",
        "client_ready sent",
        "handled spawn",
    ]


def test_a_worker_that_gets_two_stops_stops_once(runner: Any) -> None:
    runner.handle_message(message("stop"))
    stop(runner)

    assert (
        runner.happened.count("users stopped") == runner.happened.count("client_stopped sent") == 1
    )


def test_a_leader_whose_clock_is_behind_is_obeyed(runner: Any) -> None:
    runner.handle_message(message("spawn"))

    assert runner.last_received_spawn_timestamp == 0


def test_users_that_have_not_started_yet_count_as_assigned(runner: Any) -> None:
    runner.handle_message(message("spawn"))

    assert runner.target_user_classes_count == {"User": 3}
