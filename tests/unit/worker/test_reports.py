"""A worker goes on with its reports whatever becomes of one."""

from locust.exception import RPCError
from locust.runners import WorkerRunner

from types import SimpleNamespace
from typing import cast

import pytest

from locust_fleet.worker.reports import keep_reporting


def runner_that_raises(error: Exception) -> WorkerRunner:
    def send_stats() -> None:
        raise error

    runner = cast(WorkerRunner, SimpleNamespace(_send_stats=send_stats))
    keep_reporting(runner)
    return runner


def test_a_report_that_cannot_be_sent_does_not_end_the_reporting(
    caplog: pytest.LogCaptureFixture,
) -> None:
    runner_that_raises(TypeError("can not serialize 'object' object"))._send_stats()

    assert "can not serialize" in caplog.text


def test_a_lost_connection_is_left_to_locust() -> None:
    with pytest.raises(RPCError):
        runner_that_raises(RPCError("away"))._send_stats()
