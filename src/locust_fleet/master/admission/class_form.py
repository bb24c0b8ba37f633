"""Check settings of a class of users before any process applies them. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from locust_fleet.errors import BadInput
from locust_fleet.policy.limits import LONGEST_HOST, MOST_USERS, line, shown, whole

# Fields of Locust's message to workers: the name of the class, and its settings.
CLASS = "user_class_name"
SETTINGS = ("host", "weight", "fixed_count", "tasks")
MOST_WEIGHT = 1_000_000


@dataclass(frozen=True)
class UserClass:
    """The present settings of a class; ``tasks`` are all that the locustfile gives it."""

    weight: float = 1
    fixed_count: int = 0
    host: str | None = None
    tasks: tuple[str, ...] = ()

    @property
    def has_users(self) -> bool:
        """Whether a run has users of this class."""
        return self.weight > 0 or self.fixed_count > 0


Classes = Mapping[str, UserClass]


def read_setting(body: object, known: Classes, running: Collection[str]) -> dict[str, Any]:
    """Return checked settings of a known class; raises BadInput, which names the wrong field.

    ``running`` are the classes of a run: some of them must have users afterwards.
    """
    if not isinstance(body, Mapping):
        raise BadInput(f"Send a JSON object with {CLASS} and what to set of {', '.join(SETTINGS)}.")
    if unknown := [name for name in body if name not in (CLASS, *SETTINGS)]:
        raise BadInput(
            f"{shown(unknown[0])} cannot be set; there is: {', '.join((CLASS, *SETTINGS))}"
        )
    name = body.get(CLASS)
    if not isinstance(name, str) or name not in known:
        raise BadInput(f"{CLASS} is {shown(name)}; use one of: {_listed(known)}")
    present = known[name]
    settings = {key: _read(key, body[key], present) for key in SETTINGS if key in body}
    numbers = {key: settings[key] for key in ("weight", "fixed_count") if key in settings}
    after = {**known, name: replace(present, **numbers)}
    if numbers and not any_users(after, running):
        raise BadInput(
            f"weight is {after[name].weight} and fixed_count is {after[name].fixed_count}, which"
            f" leaves no class with users; set one of them above 0, of {name} or another class"
        )
    return {CLASS: name, **settings}


def any_users(known: Classes, names: Collection[str]) -> bool:
    """Whether a run of these classes has users."""
    return any(known[name].has_users for name in names if name in known)


def _read(key: str, value: object, present: UserClass) -> Any:
    match key:
        case "host":
            # Locust's page sends "" for a class without a host.
            return None if value is None else line(key, value, LONGEST_HOST) or None
        case "tasks":
            return _read_tasks(value, present)
        case "weight" if isinstance(value, float) and value == present.weight:
            # A locustfile may have a fraction, and Locust's page sends back every present value.
            return value
        case "weight":
            return whole(key, value, 0, MOST_WEIGHT)
        case _:
            return whole(key, value, 0, MOST_USERS)


def _read_tasks(value: object, present: UserClass) -> list[str]:
    if not isinstance(value, list):
        raise BadInput(f"tasks is {shown(value)}; use a list of: {_listed(present.tasks)}")
    for task in value:
        if not isinstance(task, str) or task not in present.tasks:
            raise BadInput(f"tasks has {shown(task)}; use a list of: {_listed(present.tasks)}")
    if present.tasks and not value:
        raise BadInput(f"tasks is empty; name at least one of: {_listed(present.tasks)}")
    return value


def _listed(names: Collection[str]) -> str:
    return ", ".join(dict.fromkeys(names)) or "(there is none)"
