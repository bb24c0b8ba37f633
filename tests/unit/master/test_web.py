"""Locust's own web interface behind the judge: it does what was judged, and nothing of the rest."""

from __future__ import annotations

from locust import LoadTestShape, User, task
from locust.argument_parser import default_args_dict
from locust.env import Environment
from locust.web import WebUI

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import gevent
import pytest
from werkzeug.test import Client, TestResponse

from locust_fleet.master.diagnostics import Diagnostics
from locust_fleet.master.results.recorder import Recorder
from locust_fleet.master.results.spool import Spool
from locust_fleet.master.web import MasterWeb
from locust_fleet.master.workers.class_settings import ClassSettings
from locust_fleet.settings.master import MasterSettings

HEADERS = {"X-Fleet-Front": "s", "X-Fleet-User": "alice"}
SETTINGS = MasterSettings.from_env(
    {"FRONT_SECRET": "s", "POSTGRES_PASSWORD": "p", "ALLOWED_TARGETS": "shop.example"}
)
START = {"user_count": "5", "spawn_rate": "1"}


class Locust:
    """A master's web interface whose runner only notes what it is told."""

    def __init__(self, folder: Path, *, picker: bool) -> None:
        class Buyer(User):
            @task
            def buy(self) -> None: ...

        class Looker(User):
            weight = 0

        class Wave(LoadTestShape):
            def tick(self) -> None: ...

        self.told: list[Any] = []
        classes: Any = {"Buyer": Buyer, "Looker": Looker}
        shape: Any = Wave
        self.environment: Any = Environment(
            user_classes=[Buyer, Looker],
            available_user_classes=classes,
            available_shape_classes={"Wave": shape()},
            available_user_tasks={"Buyer": Buyer.tasks, "Looker": []},
            parsed_options=Namespace(**default_args_dict()),
        )
        self.runner = cast(
            Any,
            SimpleNamespace(
                state="ready",
                worker_count=1,
                start=lambda *numbers: self.told.append(numbers),
                start_shape=lambda: self.told.append("shape"),
            ),
        )
        self.web = WebUI(
            self.environment, "", 0, delayed_start=True, userclass_picker_is_active=picker
        )
        self.environment.runner = self.runner
        ClassSettings(self.environment, self.runner).attach()
        self.recorder = Recorder(Spool(folder), "v1")
        MasterWeb(
            self.environment,
            self.runner,
            self.recorder,
            SETTINGS,
            Diagnostics(folder),
            Spool(folder),
            cast(Any, SimpleNamespace(done=True)),
            lambda _: {},
        ).attach(cast(Any, self.web.app))

    def post(self, path: str, **sent: Any) -> TestResponse:
        answer = Client(cast(Any, self.web.app)).post(path, headers=HEADERS, **sent)
        gevent.sleep(0)
        return answer

    def picked(self) -> list[str]:
        return [user.__name__ for user in self.environment.user_classes]


Make = Callable[..., Locust]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    return lambda *, picker=False: Locust(tmp_path, picker=picker)


def test_locust_starts_what_was_read(make: Make) -> None:
    locust = make()

    answer = locust.post("/swarm", data={**START, "user_count": " 007 ", "run_time": "1h"}).json

    assert answer is not None
    assert (answer["success"], answer["run_time"]) == (True, 3600)
    assert locust.told == [(7, 1.0)]
    assert locust.recorder.expected_run_id == answer["run_id"]


def test_what_locusts_page_sends_is_a_start(make: Make) -> None:
    locust = make()
    form = {**START, "host": "http://shop.example", "run_time": "30m", "profile": ""}

    assert locust.post("/swarm", data=form).json["success"]  # type: ignore[index]
    assert (locust.told, locust.environment.host) == ([(5, 1.0)], "http://shop.example")


def test_picked_classes_run(make: Make) -> None:
    locust = make(picker=True)

    assert locust.post("/swarm", data={**START, "user_classes": ["Buyer"]}).json["success"]  # type: ignore[index]
    assert (locust.picked(), locust.told) == (["Buyer"], [(5, 1.0)])


def test_a_picked_shape_runs_whatever_the_numbers_are(make: Make) -> None:
    locust = make(picker=True)
    form = {"user_count": "0", "spawn_rate": "0", "shape_class": "Wave", "run_time": "5m"}

    assert locust.post("/swarm", data=form).json["success"]  # type: ignore[index]
    assert locust.told == ["shape"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"user_classes": ["Nope"]},
        {"user_classes": ["Buyer", "Nope"]},
        {"user_classes": ["Looker"]},
        {"shape_class": "Nope"},
        {"user_count": "+5"},
        {"host": "http://evil.example"},
        {"stop_timeout": "x"},
    ],
)
def test_what_is_refused_changes_neither_classes_nor_shape_nor_host(
    make: Make, wrong: dict[str, Any]
) -> None:
    locust = make(picker=True)
    before = (locust.picked(), vars(locust.environment.parsed_options).copy())

    answer = locust.post("/swarm", data={**START, "host": "http://shop.example", **wrong}).json

    assert answer is not None
    assert not answer["success"]
    after = (locust.picked(), vars(locust.environment.parsed_options))
    assert (after, locust.environment.host, locust.told) == (before, None, [])
    assert locust.recorder.expected_run_id is None


@pytest.mark.parametrize(
    ("setting", "status"),
    [
        ({"user_class_name": "Buyer", "weight": 3, "host": "", "tasks": ["buy"]}, 201),
        ({"user_class_name": "Buyer", "host": "http://shop.example"}, 201),
        ({"user_class_name": "Buyer", "host": "http://evil.example"}, 403),
        ({"user_class_name": "Nope", "weight": 1}, 422),
        ({"user_class_name": "Buyer", "weight": "abc"}, 422),
    ],
)
def test_a_setting_is_answered_with_its_outcome(
    make: Make, setting: dict[str, Any], status: int
) -> None:
    locust = make()

    answer = locust.post("/user", json=setting)

    assert answer.status_code == status
    kept = getattr(locust.environment.available_user_classes["Buyer"], "weight", 1)
    assert kept == (3 if "weight" in setting and status == 201 else 1)
