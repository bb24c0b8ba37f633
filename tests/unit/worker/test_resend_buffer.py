"""A worker keeps each report of a run until a leader has it for good."""

from locust.rpc import Message
from locust.runners import WorkerRunner

from typing import Any, cast

import pytest

from locust_fleet.protocol.messages import ACKNOWLEDGED, NUMBER, OLDEST, RESEND, RUN
from locust_fleet.worker import resend_buffer as module
from locust_fleet.worker.resend_buffer import ResendBuffer


class Runner:
    """A worker's runner that notes what it sends."""

    client_id = "w1"
    user_count = 3

    def __init__(self) -> None:
        self.client = self
        self.user_classes_count = {"User": 3}
        self.sent: list[dict[str, Any]] = []
        self.listeners: dict[str, Any] = {}

    def register_message(self, kind: str, listener: Any) -> None:
        self.listeners[kind] = listener

    def send(self, message: Message) -> None:
        self.sent.append(message.data)

    def hear(self, kind: str, run: str, number: int) -> None:
        self.listeners[kind](msg=Message(kind, {RUN: run, NUMBER: number}, "w1"))


class Worker:
    def __init__(self) -> None:
        self.run: str | None = "r1"
        self.runner = Runner()
        self.kept = ResendBuffer(cast(WorkerRunner, self.runner), lambda: self.run)
        self.kept.attach()

    def report(self) -> dict[str, Any]:
        data: dict[str, Any] = {"errors": {}, "user_classes_count": {}, "user_count": 0}
        self.kept.add(data)
        return data


@pytest.fixture
def worker() -> Worker:
    return Worker()


def test_reports_are_numbered_within_a_run(worker: Worker) -> None:
    worker.report()
    second = worker.report()
    worker.run = "r2"
    first_of_next = worker.report()

    assert (second[RUN], second[NUMBER], second[OLDEST]) == ("r1", 2, 1)
    assert (first_of_next[RUN], first_of_next[NUMBER], first_of_next[OLDEST]) == ("r2", 1, 1)


def test_without_a_run_nothing_is_kept(worker: Worker) -> None:
    worker.run = None

    assert NUMBER not in worker.report()
    assert len(worker.kept) == 0


def test_acknowledged_reports_are_dropped(worker: Worker) -> None:
    for _ in range(3):
        worker.report()

    worker.runner.hear(ACKNOWLEDGED, "r1", 2)

    assert len(worker.kept) == 1
    assert worker.report()[OLDEST] == 3


def test_missing_reports_are_sent_again_with_the_present_users(worker: Worker) -> None:
    for _ in range(3):
        worker.report()

    worker.runner.hear(RESEND, "r1", 1)

    assert [data[NUMBER] for data in worker.runner.sent] == [2, 3]
    assert worker.runner.sent[0]["user_count"] == 3


def test_an_answer_about_another_run_changes_nothing(worker: Worker) -> None:
    worker.report()

    worker.runner.hear(ACKNOWLEDGED, "r0", 9)
    worker.runner.hear(RESEND, "r0", 0)

    assert len(worker.kept) == 1
    assert worker.runner.sent == []


def test_a_worker_keeps_reports_up_to_a_limit_of_memory(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 2 * module.REPORT_BYTES)
    for _ in range(4):
        last = worker.report()

    assert len(worker.kept) == 2
    assert last[OLDEST] == 3
