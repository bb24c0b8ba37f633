"""A worker goes on with its reports whatever becomes of one."""

from locust.event import Events
from locust.exception import RPCError
from locust.runners import WorkerRunner

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from gevent.pool import Group

from locust_fleet.protocol.messages import NUMBER
from locust_fleet.worker.resend_buffer import ResendBuffer
from locust_fleet.worker.runner import FleetWorkerRunner


def runner_that_sends(send: Callable[[], None], kept: ResendBuffer) -> FleetWorkerRunner:
    """Return a worker's runner without its socket, whose reports are sent by ``send``."""
    runner = FleetWorkerRunner.__new__(FleetWorkerRunner)
    runner._parts = cast(Any, SimpleNamespace(resend_buffer=kept))
    runner.client_id, runner.greenlet, runner.spawning_greenlet = "w1", Group(), None
    runner.environment = cast(Any, SimpleNamespace(events=Events()))
    runner.client = cast(Any, SimpleNamespace(send=lambda _: send()))
    return runner


def failing(error: Exception) -> Callable[[], None]:
    def send() -> None:
        raise error

    return send


def nothing_kept() -> ResendBuffer:
    return ResendBuffer(cast(WorkerRunner, SimpleNamespace()), lambda: None)


def test_a_report_that_cannot_be_sent_does_not_end_the_reporting(
    caplog: pytest.LogCaptureFixture,
) -> None:
    error = TypeError("can not serialize 'object' object")

    runner_that_sends(failing(error), nothing_kept()).report_now()

    assert "can not serialize" in caplog.text


def test_a_lost_connection_is_left_to_locust() -> None:
    with pytest.raises(RPCError):
        runner_that_sends(failing(RPCError("away")), nothing_kept()).report_now()


def test_a_report_that_cannot_be_sent_leaves_its_number_to_the_next() -> None:
    kept = ResendBuffer(cast(WorkerRunner, SimpleNamespace()), lambda: "r1")
    runner = runner_that_sends(failing(TypeError("can not serialize")), kept)
    numbers: list[int] = []

    def report_to_master(data: dict[str, Any], **_: Any) -> None:
        kept.add(data)
        numbers.append(data[NUMBER])

    runner.environment.events.report_to_master.add_listener(report_to_master)

    runner.report_now()
    runner.report_now()

    assert len(kept) == 0
    assert numbers == [1, 1]
