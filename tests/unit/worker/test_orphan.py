"""A worker says what it has, and ends a load that nobody commands any more."""

from locust.runners import STATE_INIT, STATE_RUNNING, WorkerRunner

from types import SimpleNamespace
from typing import Any, cast

import pytest

from locust_fleet.protocol.messages import HERE, RUN, WHO
from locust_fleet.worker.drain import Drain
from locust_fleet.worker.leader_connection import LeaderConnection
from locust_fleet.worker.orphan import OrphanWatch
from locust_fleet.worker.resend_buffer import ResendBuffer

NOW = 1000.0
GHOST_LIMIT_S = 60


class Worker:
    """A worker with users and a leader."""

    def __init__(self) -> None:
        self.stops = 0
        self.draining = False
        self.lost = False
        self.silent_s = 0.0
        self.ends_at: float | None = None
        self.sent: list[Any] = []
        self.listeners: dict[str, Any] = {}
        self.runner = SimpleNamespace(
            worker_state=STATE_RUNNING,
            target_user_classes_count={"User": 5},
            user_classes_count={"User": 4},
            register_message=self.listeners.__setitem__,
            send_message=lambda kind, data: self.sent.append((kind, data)),
        )
        self.orphan = OrphanWatch(
            cast(WorkerRunner, self.runner),
            cast(Drain, self),
            lambda: "r1",
            lambda: self.ends_at,
            GHOST_LIMIT_S,
            cast(LeaderConnection, self),
            cast(ResendBuffer, SimpleNamespace(run=None)),
        )
        self.orphan.attach()

    def stop_run(self) -> None:
        self.stops += 1

    def lose_leader(self, silent_s: float) -> None:
        self.lost, self.silent_s = True, silent_s


@pytest.fixture
def worker() -> Worker:
    return Worker()


def test_a_worker_answers_with_its_assigned_users(worker: Worker) -> None:
    worker.listeners[WHO]()

    [(kind, data)] = worker.sent
    assert kind == HERE
    assert (data[RUN], data["users"], data["user_classes_count"]) == (
        "r1",
        {"User": 5},
        {"User": 4},
    )


def test_a_worker_without_a_run_answers_that_it_has_no_users(worker: Worker) -> None:
    worker.runner.worker_state = STATE_INIT

    worker.listeners[WHO]()

    assert worker.sent[0][1]["users"] == {}


def test_a_worker_that_leaves_is_not_taken_over(worker: Worker) -> None:
    worker.draining = True

    worker.listeners[WHO]()

    assert worker.sent == []


def test_users_go_on_without_a_master_for_a_while(worker: Worker) -> None:
    worker.lose_leader(GHOST_LIMIT_S)

    worker.orphan.check(NOW)

    assert worker.stops == 0


def test_users_do_not_go_on_without_a_master_forever(worker: Worker) -> None:
    worker.lose_leader(GHOST_LIMIT_S + 1)

    worker.orphan.check(NOW)

    assert worker.stops == 1


def test_users_do_not_go_on_beyond_the_end_of_the_run_without_a_master(worker: Worker) -> None:
    worker.ends_at = NOW + 10
    worker.lose_leader(5)

    worker.orphan.check(NOW + 9)
    assert worker.stops == 0
    worker.orphan.check(NOW + 11)
    assert worker.stops == 1


def test_a_present_master_ends_the_run_itself(worker: Worker) -> None:
    worker.ends_at = NOW - 1

    worker.orphan.check(NOW + 1)

    assert worker.stops == 0
