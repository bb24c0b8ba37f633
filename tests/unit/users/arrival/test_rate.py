"""What a scenario says of its arrivals, and what it is told where that makes no sense."""

from __future__ import annotations

from locust import User, task
from locust.env import Environment
from locust.user.task import DefaultTaskSet

from pathlib import Path

import pytest

from locust_fleet.errors import ShapeError
from locust_fleet.users import ArrivalRate
from locust_fleet.users.arrival.engine import open_classes
from locust_fleet.users.arrival.shape import plain
from locust_fleet.users.arrival.standalone import StandaloneArrivals
from locust_fleet.users.arrival.task_set import ArrivalTaskSet, task_set_of


class Walker(User):
    @task
    def walk(self) -> None:
        pass


class Runner(Walker):
    arrivals = ArrivalRate(5)


class Sprinter(Runner):
    pass


def test_a_class_with_arrivals_is_one_of_the_open_model_and_others_are_as_they_were() -> None:
    environment = Environment(user_classes=[Walker, Runner])
    assert list(open_classes(environment)) == [Runner]
    assert isinstance(task_set_of(Runner(environment)), ArrivalTaskSet)
    assert type(task_set_of(Walker(environment))) is DefaultTaskSet


def test_each_class_has_a_pool_of_its_own() -> None:
    arrivals = Runner.arrivals
    assert arrivals.pool_of(Runner) is arrivals.pool_of(Runner)
    assert arrivals.pool_of(Runner) is not arrivals.pool_of(Sprinter)


def test_another_name_than_arrivals_would_do_nothing() -> None:
    with pytest.raises((ShapeError, RuntimeError)) as error:
        type("Shopper", (Walker,), {"rate": ArrivalRate(5)})
    assert "call it arrivals" in f"{error.value} {error.value.__cause__}"


def test_a_shape_is_read_beside_the_locustfile(tmp_path: Path) -> None:
    (tmp_path / "shape.yaml").write_text("- {rate: 5, for: 1m}\n- {rate: 50, over: 30s}\n")
    scope = {"ArrivalRate": ArrivalRate, "__file__": str(tmp_path / "locustfile.py")}
    arrivals: ArrivalRate = eval("ArrivalRate('shape.yaml')", scope)
    assert plain(arrivals.ramps) == [(60, 5, 5), (30, 5, 50)]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("- {rate: 5, during: 1m}", "stage 1 has rate, during"),
        ("- {rate: [", "while parsing"),
        (None, "No such file"),
    ],
)
def test_a_file_without_a_shape_is_named(tmp_path: Path, text: str | None, problem: str) -> None:
    file = tmp_path / "shape.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ShapeError) as error:
        ArrivalRate(str(file))
    assert str(file) in str(error.value)
    assert problem in str(error.value)


@pytest.mark.parametrize("seconds", [-1, float("inf"), float("nan")])
def test_arrivals_wait_some_seconds_or_none(seconds: float) -> None:
    with pytest.raises(ShapeError, match="wait_for_user_s is"):
        ArrivalRate(5, wait_for_user_s=seconds)


def test_locusts_own_workers_are_refused() -> None:
    environment = Environment(user_classes=[Runner])
    environment.create_master_runner("127.0.0.1", 0)
    with pytest.raises(ShapeError, match="start them with locust-fleet worker"):
        StandaloneArrivals().follow(environment)


@pytest.mark.parametrize("seconds", [-1, "10", None, True, float("nan")])
def test_a_wait_that_is_no_time_is_named(seconds: object) -> None:
    with pytest.raises(ShapeError, match="wait_for_user_s is"):
        ArrivalRate(5, wait_for_user_s=seconds)  # type: ignore[arg-type]
