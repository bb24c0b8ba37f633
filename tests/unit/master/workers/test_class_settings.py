"""What is set for classes of users is kept, as far as these classes can have it."""

from __future__ import annotations

from locust import User, task
from locust.env import Environment

from types import SimpleNamespace
from typing import Any, cast

import pytest

from locust_fleet.errors import BadInput
from locust_fleet.master.workers.class_settings import ClassSettings, classes_of, running_classes


@pytest.fixture
def environment() -> Environment:
    class Buyer(User):
        weight = 2

        @task
        def look(self) -> None: ...

        @task(2)
        def buy(self) -> None: ...

    environment = Environment(
        user_classes=[Buyer],
        available_user_classes=cast(Any, {"Buyer": Buyer}),
        available_user_tasks={"Buyer": Buyer.tasks},
    )
    environment.runner = cast(Any, SimpleNamespace(state="ready"))
    return environment


@pytest.fixture
def settings(environment: Environment) -> ClassSettings:
    settings = ClassSettings(environment, cast(Any, environment.runner))
    settings.attach()
    return settings


def test_a_class_has_the_settings_of_its_locustfile(environment: Environment) -> None:
    buyer = classes_of(environment)["Buyer"]

    assert (buyer.weight, buyer.fixed_count, buyer.host) == (2, 0, None)
    assert set(buyer.tasks) == {"look", "buy"}
    assert list(running_classes(environment)) == ["Buyer"]


def test_settings_are_dumped_for_the_next_leader(
    environment: Environment, settings: ClassSettings
) -> None:
    environment.update_user_class({"user_class_name": "Buyer", "weight": 5, "tasks": ["buy"]})

    kept = {"user_class_name": "Buyer", "weight": 5, "tasks": ["buy"]}
    assert settings.dump() == {"Buyer": kept}
    assert classes_of(environment)["Buyer"].weight == 5


@pytest.mark.parametrize(
    "wrong", [{"weight": "abc"}, {"fixed_count": "x"}, {"tasks": ["sell"]}, {"weight": 0}]
)
def test_a_refused_setting_changes_nothing(
    environment: Environment, settings: ClassSettings, wrong: dict[str, Any]
) -> None:
    with pytest.raises(BadInput):
        environment.update_user_class({"user_class_name": "Buyer", **wrong})

    assert settings.dump() == {}
    assert classes_of(environment)["Buyer"].weight == 2


def test_an_invalid_setting_of_a_previous_version_is_left_out(
    environment: Environment, settings: ClassSettings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.load(
        {
            "Buyer": {"user_class_name": "Buyer", "weight": "abc"},
            "Gone": {"user_class_name": "Gone", "weight": 1},
        }
    )

    assert classes_of(environment)["Buyer"].weight == 2
    assert "the class Buyer stays as its locustfile says: weight is 'abc'" in caplog.text
