"""Whoever starts a run, a form, a shape or the configuration, the numbers are judged."""

from __future__ import annotations

from locust.env import Environment

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from locust_fleet.master.admission.gate import StartGate
from locust_fleet.master.results.recorder import Recorder
from locust_fleet.master.results.spool import Spool
from locust_fleet.policy.allowlist import Allowlist

HUGE = 3_000_000_000


@pytest.mark.parametrize(
    ("numbers", "started"),
    [
        ((5, 1.0), True),
        ((HUGE, 1.0), False),
        ((math.nan, 1.0), False),
        ((-1, 1.0), False),
        ((5, math.inf), False),
        ((5, 0), False),
    ],
)
def test_a_start_without_a_form_is_checked_too(
    tmp_path: Path, numbers: tuple[float, float], started: bool
) -> None:
    begun: list[Any] = []
    runner = cast(Any, SimpleNamespace(state="ready"))
    recorder = Recorder(Spool(tmp_path), "v1")
    gate = StartGate(Environment(), runner, recorder, Allowlist.parse(["shop"]), lambda: None)

    gate.start(lambda *given: begun.append(given), *numbers)

    assert begun == ([numbers] if started else [])
    kinds = [Spool(tmp_path).read(path)["kind"] for path in Spool(tmp_path).pending()]
    assert kinds == ["master_started"] + ([] if started else ["audit"])
