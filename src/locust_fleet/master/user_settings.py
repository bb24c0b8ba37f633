"""Keep what somebody has set for classes of users.

Locust 2.47.0 (``Environment.update_user_class``) sets it in this process and tells the workers that
are there: workers that come later, and the next leader, would run with what the locustfile says.
"""

from __future__ import annotations

from locust.env import Environment
from locust.runners import MasterRunner

from collections.abc import Callable, Mapping
from typing import Any

from locust_fleet.master.observer import observer
from locust_fleet.seams import replace

# Of Locust's message to workers, and of the name of the class in it.
UPDATE, CLASS = "update_user_class", "user_class_name"

Settings = Mapping[str, Any]


class UserSettings:
    """The settings of each class that differ from its locustfile."""

    def __init__(self, environment: Environment, runner: MasterRunner) -> None:
        self._environment = environment
        self._runner = runner
        self._update: Callable[[Settings], None] = environment.update_user_class
        self._of: dict[str, dict[str, Any]] = {}

    def attach(self) -> None:
        """From now on, keep what is set, and tell it to workers that come."""
        replace(self._environment, UPDATE, self._set)
        self._environment.events.worker_connect.add_listener(
            observer(lambda client_id, **_: self.tell(client_id))
        )

    def remember(self) -> Mapping[str, Settings]:
        """Return what the next leader needs; plain data."""
        return self._of

    def recall(self, memory: Mapping[str, Settings]) -> None:
        """Set what an earlier leader remembered, of classes that are still there."""
        known = self._environment.available_user_classes or {}
        for name, settings in memory.items():
            if name in known:
                self._set(settings)

    def tell(self, worker: str) -> None:
        """Tell a worker all that is set."""
        for settings in self._of.values():
            self._runner.send_message(UPDATE, settings, worker)

    def _set(self, settings: Settings) -> None:
        self._update(settings)
        self._of.setdefault(settings[CLASS], {}).update(settings)
