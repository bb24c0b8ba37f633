"""How a scenario declares its arrivals: ``arrivals = ArrivalRate(200)`` in a user class."""

from __future__ import annotations

from locust import User

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from locust_fleet.errors import ShapeError
from locust_fleet.users.arrival.pool import UserPool
from locust_fleet.users.arrival.shape import is_number, ramps_of
from locust_fleet.users.arrival.task_set import begin_on_arrival

NAME = "arrivals"


class ArrivalRate:
    """Iterations that begin at a rate, whether earlier ones have ended or not."""

    def __init__(
        self, shape: float | Sequence[Mapping[str, Any]] | str, *, wait_for_user_s: float = 0.0
    ) -> None:
        """``shape``: a rate per second, stages, or a YAML file beside the calling file.

        An arrival that finds no free user waits ``wait_for_user_s``, and is then dropped. Raises
        ShapeError, which names what is wrong.
        """
        if isinstance(shape, str):
            caller = sys._getframe(1).f_globals.get("__file__", ".")
            self.ramps = _read(Path(caller).resolve().parent / shape)
        else:
            self.ramps = ramps_of(shape)
        if not is_number(wait_for_user_s) or not 0 <= wait_for_user_s < float("inf"):
            raise ShapeError(f"wait_for_user_s is {wait_for_user_s!r}; use seconds from 0 up")
        self._wait_for_user_s = wait_for_user_s
        self._pools: dict[type[User], UserPool] = {}
        begin_on_arrival()

    def __set_name__(self, owner: type, name: str) -> None:
        if name != NAME:
            raise ShapeError(f"{owner.__name__}.{name} is an ArrivalRate; call it {NAME}")

    def pool_of(self, user_class: type[User]) -> UserPool:
        """Return the pool in which the users of a class wait for their iterations."""
        if user_class not in self._pools:
            self._pools[user_class] = UserPool(self._wait_for_user_s)
        return self._pools[user_class]


def _read(file: Path) -> Any:
    try:
        return ramps_of(yaml.safe_load(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ShapeError(f"the shape {file} cannot be used: {error}") from error
