"""What docs/open-model.md and the example say is what there is."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from locust_fleet.protocol.histogram import TWIN
from locust_fleet.users.arrival.corrected import METHOD
from locust_fleet.users.arrival.rate import ArrivalRate
from locust_fleet.users.arrival.shape import STAGES, ramps_of

ROOT = Path(__file__).parents[4]
TEXT = (ROOT / "docs" / "open-model.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.search(f"```{language}\n(.*?)```", TEXT, re.DOTALL)
    assert found, language
    return found[1]


def test_the_stages_of_the_docs_are_all_there_are() -> None:
    stages = yaml.safe_load(block("yaml"))
    assert {frozenset(stage) for stage in stages} == set(STAGES)
    # 11 min of ramp and hold, 8 of steps, 30 of spikes, 8 h 5 min of soak.
    assert sum(ramp.seconds for ramp in ramps_of(stages)) == 60 * (11 + 8 + 30 + 485)


def test_the_example_of_the_docs_has_arrivals() -> None:
    scope: dict[str, object] = {}
    exec(block("python"), scope)
    assert isinstance(vars(scope["Shopper"])["arrivals"], ArrivalRate)


def test_every_shape_that_the_docs_write_is_one() -> None:
    shapes = re.findall(r"ArrivalRate\((\[.*?\])\)", TEXT)
    assert shapes
    for shape in shapes:
        ramps_of(yaml.safe_load(shape))


def test_the_docs_call_rows_as_they_are_called() -> None:
    assert f"`NAME{TWIN}`" in TEXT
    assert f"`{METHOD}`" in TEXT
