"""Read and check Locust's start form. Pure.

Locust 2.47.0 (``WebUI.swarm``) parses each field differently, changes classes and shape before it
has read the numbers, and lets a form set any of its own options.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from locust_fleet.errors import BadInput
from locust_fleet.master.admission.class_form import Classes, any_users
from locust_fleet.policy import limits
from locust_fleet.policy.limits import number_in, shown

NO_SHAPE = "Default"
# Locust's names of the form's fields; it has options of the same names.
OWN = ("user_count", "spawn_rate", "run_time", "host", "profile", "user_classes", "shape_class")
LONGEST_ARGUMENT = 10_000
# The largest integer in a message to a worker.
LARGEST = 2**63 - 1

Fields = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Choices:
    """What a start may choose from, by the locustfile and the environment.

    ``running`` are the classes that run if none is picked, ``arguments`` those of the locustfile
    with their present values, ``options`` those of Locust, which no form may set.
    """

    classes: Classes
    running: Collection[str]
    shapes: Collection[str] = ()
    shaped: bool = False
    picker: bool = False
    in_a_run: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)
    options: Collection[str] = ()


@dataclass(frozen=True)
class StartForm:
    """What a start requests. A shape decides on users, spawn rate and run time itself."""

    users: int | None
    spawn_rate: float | None
    run_time_s: int | None
    host: str | None
    shaped: bool
    others: tuple[tuple[str, str], ...] = ()

    def fields(self) -> list[tuple[str, str]]:
        """Return the fields for Locust, in a form that its parsers read the same."""
        own = {
            "user_count": self.users,
            "spawn_rate": self.spawn_rate,
            "run_time": self.run_time_s,
            "host": self.host,
        }
        read = [(name, str(value)) for name, value in own.items() if value is not None]
        return [*read, *self.others]


def read_form(form: Fields, choices: Choices) -> StartForm:
    """Return what a form requests; raises BadInput, which names the wrong field."""
    classes = _classes(form, choices)
    shape = _shape(form, choices)
    shaped = choices.shaped if shape is None else shape != NO_SHAPE
    least = 0 if shaped or choices.in_a_run else 1
    run_time = _one(form, "run_time")
    profile = _one(form, "profile")
    others = [("user_classes", name) for name in classes]
    if shape is not None:
        others.append(("shape_class", shape))
    if profile is not None:
        others.append(("profile", limits.line("profile", profile, limits.LONGEST_NAME)))
    for name, values in form.items():
        if name in choices.arguments:
            _judge_argument(name, values, choices.arguments[name])
            others += [(name, value) for value in values]
        elif name in choices.options and name not in OWN:
            raise BadInput(f"{name} cannot be set with a run; it is an option of the master")
    return StartForm(
        users=_users(form, least, shaped),
        spawn_rate=_spawn_rate(form, shaped),
        run_time_s=limits.run_time_s("run_time", run_time) if run_time else None,
        host=_host(form),
        shaped=shaped,
        others=tuple(others),
    )


def _one(form: Fields, name: str) -> str | None:
    values = form.get(name, ())
    if len(values) > 1:
        raise BadInput(f"{name} stands {len(values)} times; send it once")
    return values[0] if values else None


def _users(form: Fields, least: int, shaped: bool) -> int | None:
    text = _one(form, "user_count")
    if text is None and shaped:
        return None
    return limits.users("user_count", number_in(text) if text else text, least)


def _spawn_rate(form: Fields, shaped: bool) -> float | None:
    text = _one(form, "spawn_rate")
    rate = number_in(text) if text else text
    # Locust's page sends 0 if a shape decides.
    if shaped and rate in (None, 0):
        return None
    return limits.spawn_rate("spawn_rate", rate)


def _host(form: Fields) -> str | None:
    host = _one(form, "host")
    return None if host is None else limits.line("host", host, limits.LONGEST_HOST)


def _classes(form: Fields, choices: Choices) -> Sequence[str]:
    picked = form.get("user_classes", ())
    if picked and not choices.picker:
        raise BadInput("user_classes cannot be chosen; start the master with class-picker = true")
    for name in picked:
        if name not in choices.classes:
            known = ", ".join(choices.classes)
            raise BadInput(f"user_classes has {shown(name)}; use some of: {known}")
    names = picked or choices.running
    if not any_users(choices.classes, names):
        raise BadInput(
            f"no class of {', '.join(names)} has a weight or a fixed count above 0, so there would"
            " be no users; set one of them first"
        )
    return picked


def _shape(form: Fields, choices: Choices) -> str | None:
    """Return the shape that is picked; None without the class picker."""
    if not choices.picker:
        return None
    shape = _one(form, "shape_class") or NO_SHAPE
    if shape != NO_SHAPE and shape not in choices.shapes:
        known = ", ".join((NO_SHAPE, *choices.shapes))
        raise BadInput(f"shape_class is {shown(shape)}; use one of: {known}")
    return shape


def _judge_argument(name: str, values: Sequence[str], present: Any) -> None:
    """Check an argument of the locustfile as Locust reads it: with its present type."""
    if isinstance(present, list):
        if len(values) > 1 and any("," in value for value in values):
            raise BadInput(f"{name} stands {len(values)} times; send one list with commas")
        texts = [text for value in values for text in value.split(",")]
        numbers = all(isinstance(item, int) for item in present)
        kind: type = int if numbers else str
    else:
        texts = [_one({name: values}, name) or ""]
        kind = str if present is None else type(present)
    for text in texts:
        if len(text) > LONGEST_ARGUMENT:
            raise BadInput(f"{name} has {len(text)} characters; use at most {LONGEST_ARGUMENT}")
        if kind is bool and text not in ("true", "false"):
            raise BadInput(f"{name} is {shown(text)}; use true or false")
        try:
            value = kind(text)
        except Exception:  # the type of a locustfile's argument may raise anything
            raise BadInput(
                f"{name} is {shown(text)}; use a value of type {kind.__name__}"
            ) from None
        if isinstance(value, int) and abs(value) > LARGEST:
            raise BadInput(f"{name} is {shown(text)}; use a number up to {LARGEST}")
