"""A worker goes on with its reports whatever becomes of one."""

from locust.event import Events
from locust.exception import RPCError
from locust.runners import WorkerRunner

from types import SimpleNamespace
from typing import Any, cast

import pytest

from locust_fleet.protocol.messages import NUMBER
from locust_fleet.worker.report_loop import keep_reporting
from locust_fleet.worker.resend_buffer import ResendBuffer

NOTHING = ResendBuffer(cast(WorkerRunner, SimpleNamespace()), lambda: None)


def runner_that_raises(error: Exception, kept: ResendBuffer) -> WorkerRunner:
    def send_stats() -> None:
        raise error

    runner = cast(WorkerRunner, SimpleNamespace(_send_stats=send_stats))
    keep_reporting(runner, kept)
    return runner


def test_a_report_that_cannot_be_sent_does_not_end_the_reporting(
    caplog: pytest.LogCaptureFixture,
) -> None:
    runner_that_raises(TypeError("can not serialize 'object' object"), NOTHING)._send_stats()

    assert "can not serialize" in caplog.text


def test_a_lost_connection_is_left_to_locust() -> None:
    with pytest.raises(RPCError):
        runner_that_raises(RPCError("away"), NOTHING)._send_stats()


def test_a_report_that_cannot_be_sent_leaves_its_number_to_the_next() -> None:
    events = Events()
    environment = cast(Any, SimpleNamespace(events=events))
    unsendable = {"errors": {}, "user_classes_count": {}, "user_count": 0, "odd": object()}

    def send_stats() -> None:
        events.report_to_master.fire(client_id="w1", data=unsendable)
        raise TypeError("can not serialize 'object' object")

    runner = cast(Any, SimpleNamespace(_send_stats=send_stats, register_message=lambda *_: None))
    kept = ResendBuffer(runner, lambda: "r1")
    kept.attach(environment)
    keep_reporting(runner, kept)

    runner._send_stats()
    runner._send_stats()

    assert len(kept) == 0
    assert unsendable[NUMBER] == 1
