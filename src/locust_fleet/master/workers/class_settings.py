"""Keep the settings that people make for classes of users, such as a weight.

Locust 2.47.0 (``Environment.update_user_class``) applies them in this process and sends them to the
connected workers only: workers that join later, and the next leader, would use the locustfile's. It
also applies any value unchecked, and a worker that cannot apply it ends.
"""

from __future__ import annotations

from locust.env import Environment
from locust.runners import STATE_RUNNING, STATE_SPAWNING, MasterRunner

import logging
from collections.abc import Callable, Collection, Mapping
from typing import Any

from locust_fleet.errors import BadInput
from locust_fleet.locust_patches.patch import replace
from locust_fleet.master.admission.class_form import CLASS, Classes, UserClass, read_setting
from locust_fleet.runtime.safe_listener import safe_listener

UPDATE = "update_user_class"

Settings = Mapping[str, Any]

logger = logging.getLogger(__name__)


class ClassSettings:
    """The settings of each class that somebody made in place of the locustfile's."""

    def __init__(self, environment: Environment, runner: MasterRunner) -> None:
        self._environment = environment
        self._runner = runner
        self._update: Callable[[Settings], None] = environment.update_user_class
        self._of: dict[str, dict[str, Any]] = {}

    def attach(self) -> None:
        """Start to keep settings, and to send them to each worker that connects."""
        replace(self._environment, "update_user_class", self._set)
        self._environment.events.worker_connect.add_listener(
            safe_listener(lambda client_id, **_: self.send_to(client_id))
        )

    def dump(self) -> Mapping[str, Settings]:
        """Return plain data for the checkpoint: class -> setting -> value."""
        return self._of

    def load(self, dumped: Mapping[str, Settings]) -> None:
        """Apply what ``dump`` returned, for classes that still exist."""
        known = self._environment.available_user_classes or {}
        for name, settings in sorted(dumped.items(), key=_adds_users, reverse=True):
            for key, value in settings.items():
                if name in known and key != CLASS:
                    self._load(name, key, value)

    def _load(self, name: str, key: str, value: object) -> None:
        try:
            self._set({CLASS: name, key: value})
        except BadInput as error:
            logger.warning("%s of the class %s stays as its locustfile says: %s", key, name, error)

    def send_to(self, worker: str) -> None:
        """Send a worker all settings."""
        for settings in self._of.values():
            self._runner.send_message(UPDATE, settings, worker)

    def _set(self, given: Settings) -> None:
        """Check and apply settings of one class; raises BadInput, which names the wrong field."""
        settings = read_class_setting(self._environment, given)
        self._update(settings)
        self._of.setdefault(settings[CLASS], {}).update(settings)


def _adds_users(of_class: tuple[str, Settings]) -> bool:
    """Whether settings give a class users: they come first, so that some class always has users."""
    return any(of_class[1].get(key) for key in ("weight", "fixed_count"))


def read_class_setting(environment: Environment, given: object) -> dict[str, Any]:
    """Return checked settings of a class; raises BadInput, which names the wrong field."""
    return read_setting(given, classes_of(environment), running_classes(environment))


def classes_of(environment: Environment) -> Classes:
    """Return the classes of users by name, with their present settings."""
    tasks = environment.available_user_tasks or {}
    return {
        name: UserClass(
            weight=user.weight,
            fixed_count=user.fixed_count,
            host=user.host,
            tasks=tuple(getattr(task, "__name__", "") for task in tasks.get(name, ())),
        )
        for name, user in (environment.available_user_classes or {}).items()
    }


def running_classes(environment: Environment) -> Collection[str]:
    """Return the classes of the run, or those of the next run if nobody picks any."""
    runner, web_ui = environment.runner, environment.web_ui
    in_a_run = runner is not None and runner.state in (STATE_RUNNING, STATE_SPAWNING)
    if web_ui and web_ui.userclass_picker_is_active and not in_a_run:
        return list(environment.available_user_classes or {})
    return [user.__name__ for user in environment.user_classes]
