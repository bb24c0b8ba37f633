"""What every layer of tests shares."""

import os

import pytest
from hypothesis import HealthCheck, settings

from tests.support.checkout import ROOT
from tests.support.engine import engine_answers
from tests.support.fuzz import examples


def pytest_configure() -> None:
    """Let programs import the package as tests do, and give examples the time they need."""
    os.environ["PYTHONPATH"] = str(ROOT / "src")
    # How long an example takes says nothing on a busy machine.
    slow = [HealthCheck.too_slow]
    settings.register_profile(
        "fleet", deadline=None, suppress_health_check=slow, max_examples=examples(50)
    )
    settings.load_profile("fleet")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests that need Docker where there is none, except in CI, where they fail."""
    if item.get_closest_marker("docker") and not engine_answers():
        message = "the Docker engine does not answer; scripts/test.sh starts it"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
