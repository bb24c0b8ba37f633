"""A worker learns where the timeline is, whatever its clock says and whatever gets lost."""

from __future__ import annotations

from locust import User, task
from locust.env import Environment

import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import gevent
import pytest

from locust_fleet.protocol.histogram import ARRIVED
from locust_fleet.users import ArrivalRate
from locust_fleet.worker.arrivals import WorkerArrivals

SHAPE = {"Shopper": [[600.0, 100.0, 100.0]]}
WHOLE, NOTHING = [0.0, 0, 1, 1], [0.0, 0, 0, 1]


class Worker:
    """A worker with an open class and nobody to begin anything; what it asks is kept."""

    def __init__(self) -> None:
        class Shopper(User):
            arrivals = ArrivalRate(1)

            @task
            def shop(self) -> None:
                pass

        self.asked: list[dict[str, Any]] = []
        self.environment = Environment(user_classes=[Shopper])
        self.runner = cast(
            Any,
            SimpleNamespace(
                state="running",
                register_message=lambda *_: None,
                send_message=lambda _, data: self.asked.append(data),
            ),
        )
        self.arrivals = WorkerArrivals(self.environment, self.runner, lambda: "run-1")
        self.arrivals.attach()

    def hear(
        self, position: float, way_s: float | None, part: list[float], run: str = "run-1"
    ) -> None:
        asked = None if way_s is None else time.monotonic() - way_s
        parts = {"Shopper": part}
        says = {"asked": asked, "position": position, "ramps": SHAPE, "parts": parts}
        self.arrivals._on_answer(SimpleNamespace(data={**says, "fleet_run": run}))

    def position(self) -> float:
        return time.monotonic() - self.arrivals._began()

    def counted(self) -> int:
        """Return how many arrivals there were since the last report."""
        report: dict[str, Any] = {}
        self.arrivals.report(report)
        return int(report.get(ARRIVED, {"Shopper": (0, 0)})["Shopper"][0])


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    worker.arrivals.stop_run()


def test_the_answer_with_the_shortest_round_trip_is_used(worker: Worker) -> None:
    worker.hear(100.0, 0.8, NOTHING)
    worker.hear(120.0, 0.002, NOTHING)
    worker.hear(110.0, 0.5, NOTHING)
    assert worker.position() == pytest.approx(120.001, abs=0.05)


def test_old_answers_are_forgotten_because_clocks_drift(worker: Worker) -> None:
    worker.hear(100.0, 0.0, NOTHING)
    for _ in range(8):
        worker.hear(50.0, 0.01, NOTHING)
    assert worker.position() == pytest.approx(50.0, abs=0.05)


def test_an_unasked_message_has_no_round_trip_so_the_worker_asks(worker: Worker) -> None:
    worker.hear(0.0, None, WHOLE)
    assert [asked["position"] for asked in worker.asked] == [None]
    assert not worker.arrivals._engine.runs


def test_a_worker_joins_at_the_position_of_the_others(worker: Worker) -> None:
    worker.hear(50.0, 0.0, WHOLE)
    gevent.sleep(0.3)
    assert worker.counted() == pytest.approx(30, abs=12)


def test_a_question_carries_the_workers_position(worker: Worker) -> None:
    worker.hear(50.0, 0.0, NOTHING)
    worker.arrivals._ask()
    assert worker.asked[-1]["position"] == pytest.approx(50.0, abs=0.1)


def test_a_worker_answers_a_leader_that_asks_for_its_position_at_once(worker: Worker) -> None:
    doubt = SimpleNamespace(data={"fleet_run": "run-1", "doubted": 7.0})
    worker.arrivals._on_answer(doubt)
    worker.hear(50.0, 0.0, NOTHING)
    worker.arrivals._on_answer(doubt)
    [said] = worker.asked
    assert said["doubted"] == 7.0
    assert said["position"] == pytest.approx(50.0, abs=0.1)


def test_without_a_part_nothing_arrives(worker: Worker) -> None:
    worker.hear(50.0, 0.0, NOTHING)
    gevent.sleep(0.2)
    assert worker.counted() == 0


def test_a_message_about_another_run_is_ignored(worker: Worker) -> None:
    worker.hear(50.0, 0.0, WHOLE, run="run-0")
    assert not worker.arrivals._engine.runs


def test_a_worker_that_leaves_waits_until_others_have_its_part(worker: Worker) -> None:
    worker.hear(50.0, 0.0, WHOLE)
    leaving = gevent.spawn(worker.arrivals.hand_over)
    gevent.sleep(0.2)
    before = leaving.dead
    worker.hear(50.2, 0.0, [50.5, 0, 0, 1])
    leaving.join(timeout=5)
    assert (before, leaving.dead) == (False, True)
    assert 50.3 < worker.position() < 51.5


def test_without_users_nothing_begins(worker: Worker) -> None:
    worker.runner.state = "ready"
    worker.hear(50.0, 0.0, WHOLE)
    assert not worker.arrivals._engine.runs


def test_arrivals_of_a_run_are_not_counted_with_those_of_the_next(worker: Worker) -> None:
    worker.hear(50.0, 0.0, WHOLE)
    gevent.sleep(0.1)
    worker.arrivals.stop_run()
    worker.arrivals.begin_run()
    assert worker.counted() == 0


def test_while_the_users_stop_a_worker_neither_asks_nor_begins(worker: Worker) -> None:
    worker.hear(50.0, 0.0, WHOLE)
    # While others hear of it, Locust still says "running".
    worker.arrivals.stop_run()
    worker.counted()

    worker.hear(50.0, 0.0, WHOLE)
    gevent.sleep(1.2)
    assert (worker.asked, worker.arrivals._engine.runs, worker.counted()) == ([], False, 0)

    worker.arrivals.end_run()
    worker.hear(52.0, 0.0, WHOLE)
    assert worker.arrivals._engine.runs
