"""The leader says when arrivals begin and who has which part, and goes on where another was."""

from __future__ import annotations

from locust import User, task
from locust.env import Environment

import time
from types import SimpleNamespace
from typing import Any, cast

import pytest

from locust_fleet.master.dispatch import arrival_planner
from locust_fleet.master.dispatch.arrival_planner import (
    ANNOUNCE_AHEAD_S,
    CHANGE_EVERY_S,
    ArrivalPlanner,
    parts_of,
)
from locust_fleet.master.dispatch.assignment import Users
from locust_fleet.users import ArrivalRate
from locust_fleet.users.arrival.schedule import Part, Schedule, Timeline
from locust_fleet.users.arrival.shape import ramps_of


class Shopper(User):
    arrivals = ArrivalRate([{"rate": 100, "for": 60}])

    @task
    def shop(self) -> None:
        pass


class Guest(User):
    @task
    def look(self) -> None:
        pass


class Leader:
    """A leader without a fleet: what it says is kept, what it sees is given."""

    def __init__(self, assigned: Users, *classes: type[User]) -> None:
        self.assigned, self.run = assigned, "run-1"
        self.said: list[tuple[str, dict[str, Any]]] = []
        self.stopped = 0
        self.runner = cast(
            Any,
            SimpleNamespace(state="running", spawning_completed=True, clients=dict.fromkeys("abc")),
        )
        self.runner.send_message = lambda _, data, worker: self.said.append((worker, data))
        self.runner.stop = self.stop
        environment = Environment(user_classes=list(classes or [Shopper]))
        environment.runner = self.runner
        self.arrivals = ArrivalPlanner(
            environment, self.runner, lambda: self.run, lambda: self.assigned
        )

    def stop(self) -> None:
        self.stopped += 1
        self.runner.state = "stopping"

    def hear(
        self,
        worker: str,
        position: float | None = None,
        run: str = "run-1",
        doubted: float | None = None,
    ) -> None:
        data = {"fleet_run": run, "asked": 5.0, "position": position, "doubted": doubted}
        self.arrivals._answer(SimpleNamespace(node_id=worker, data=data))

    def parts(self, worker: str) -> list[tuple[float, int, int, int]]:
        """Return the parts of all announcements to a worker."""
        return [data["parts"]["Shopper"] for name, data in self.said if name == worker]


def users(**of: int) -> Users:
    return {worker: {"Shopper": size} for worker, size in of.items()}


def test_arrivals_begin_when_all_users_run() -> None:
    leader = Leader(users(a=1, b=1))
    leader.runner.spawning_completed = False
    leader.arrivals.check(time.monotonic())
    before = list(leader.said)

    leader.runner.spawning_completed = True
    leader.arrivals.check(time.monotonic())

    assert before == []
    assert leader.parts("a") == [(0.0, 0, 1, 2)]
    assert leader.parts("b") == [(0.0, 1, 2, 2)]
    assert leader.parts("c") == [(0.0, 0, 0, 1)]


def test_a_worker_has_the_share_of_its_users_of_that_class() -> None:
    assigned = {
        "a": {"Shopper": 6, "Guest": 1},
        "b": {"Shopper": 3, "Guest": 9},
        "c": {"Shopper": 0},
    }
    assert parts_of(assigned, ["Shopper"]) == {"Shopper": {"a": (0, 6, 9), "b": (6, 9, 9)}}


def test_parts_change_for_all_workers_at_the_same_position() -> None:
    leader, now = Leader(users(a=1, b=1)), time.monotonic()
    leader.arrivals.check(now)
    leader.assigned = users(a=1, b=1, c=2)
    leader.arrivals.check(now + 10)

    [since] = {leader.parts(worker)[-1][0] for worker in "abc"}

    assert since == pytest.approx(10.0)
    assert leader.parts("c")[-1][1:] == (2, 4, 4)


def test_while_users_move_parts_change_once_in_a_while() -> None:
    leader, now = Leader(users(a=1)), time.monotonic()
    for step in range(9):
        leader.assigned = users(a=1, b=step)
        leader.arrivals.check(now + step * CHANGE_EVERY_S / 4)
    assert len(leader.parts("a")) == 3


def test_without_users_the_parts_stay_as_they_are() -> None:
    leader, now = Leader(users(a=1)), time.monotonic()
    leader.arrivals.check(now)
    leader.assigned = {}
    leader.arrivals.check(now + 10)
    assert len(leader.parts("a")) == 1


def test_an_answer_has_the_position_of_the_timeline_and_the_time_of_the_question() -> None:
    leader = Leader(users(a=1))
    leader.arrivals.check(time.monotonic())
    leader.hear("a")

    [_, answer] = [data for worker, data in leader.said if worker == "a"]

    assert answer["asked"] == 5.0
    assert answer["position"] == pytest.approx(-ANNOUNCE_AHEAD_S, abs=0.2)
    assert answer["ramps"] == {"Shopper": [(60, 100, 100)]}


def test_a_worker_of_another_run_gets_no_answer() -> None:
    leader = Leader(users(a=1))
    leader.arrivals.check(time.monotonic())
    before = len(leader.said)
    leader.hear("a", run="run-0")
    assert len(leader.said) == before


def test_a_new_leader_trusts_the_worker_over_the_clock_of_another_host() -> None:
    former, heir = Leader(users(a=1, b=1)), Leader(users(a=1, b=1))
    former.arrivals.check(time.monotonic())
    known = former.arrivals.dump()
    heir.arrivals.load({**known, "began": known["began"] + 3600})

    # What was said to the leader before, and heard by nobody for long.
    heir.hear("a", position=26.0)
    doubted = heir.said[-1][1]["doubted"]
    heir.hear("a", position=30.0, doubted=doubted)
    heir.arrivals.check(time.monotonic())
    heir.hear("b", position=99.0)

    assert heir.said[-1][1]["position"] == pytest.approx(30.0, abs=0.5)
    since, *part = heir.said[-1][1]["parts"]["Shopper"]
    assert since == pytest.approx(30.0 + ANNOUNCE_AHEAD_S, abs=0.5)
    assert part == [1, 2, 2]


def test_a_new_leader_does_not_answer_until_a_worker_confirms() -> None:
    former, heir = Leader(users(a=1)), Leader(users(a=1))
    former.arrivals.check(time.monotonic())
    heir.arrivals.load(former.arrivals.dump())

    heir.arrivals.check(time.monotonic())
    heir.hear("a")

    assert heir.said == []


def test_a_new_leader_without_an_informed_worker_trusts_the_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    former, heir = Leader(users(a=1)), Leader(users(a=1))
    former.arrivals.check(time.monotonic() - 20)
    monkeypatch.setattr(arrival_planner, "CONFIRM_TIMEOUT_S", 0.0)
    heir.arrivals.load(former.arrivals.dump())
    heir.arrivals.check(time.monotonic())
    assert heir.said[-1][1]["position"] == pytest.approx(20.0 - ANNOUNCE_AHEAD_S, abs=0.5)


def test_the_run_ends_when_all_arrivals_are_over() -> None:
    leader, now = Leader(users(a=1)), time.monotonic()
    leader.arrivals.check(now)
    leader.arrivals.check(now + 61)
    before = leader.stopped
    for later in (62.0, 62.25, 62.5):
        leader.arrivals.check(now + later)
    assert (before, leader.stopped) == (0, 1)


def test_a_run_with_users_of_another_kind_goes_on() -> None:
    leader, now = Leader(users(a=1), Shopper, Guest), time.monotonic()
    leader.arrivals.check(now)
    leader.arrivals.check(now + 600)
    assert leader.stopped == 0


def test_another_run_has_a_new_timeline() -> None:
    leader, now = Leader(users(a=1)), time.monotonic()
    leader.arrivals.check(now)
    leader.run = "run-2"
    leader.arrivals.check(now + 100)
    assert [part[0] for part in leader.parts("a")] == [0.0, 0.0]


def test_whatever_users_do_every_arrival_is_announced_to_one_worker() -> None:
    leader, now = Leader(users(a=3, b=3)), time.monotonic()
    timeline = Timeline(ramps_of([{"rate": 100, "for": 60}]))
    for second, assigned in enumerate(
        [users(a=3, b=3), users(a=3, b=3, c=1), users(a=2, b=3, c=2), users(b=4, c=3)]
    ):
        leader.assigned = assigned
        leader.arrivals.check(now + 5 * second)

    due: list[float] = []
    for worker in "abc":
        schedule = Schedule(timeline, 0.0)
        for part in leader.parts(worker):
            schedule.change(Part(*part))
        due += schedule.advance(30)

    assert len(due) == len(set(due)) == 3000
