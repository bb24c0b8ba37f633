"""The entrypoint of nginx's image does what the official one does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.front.conftest import Front

pytestmark = pytest.mark.docker


def lines_of_a_start(secrets: Path, settings: dict[str, str]) -> list[str]:
    front = Front(secrets, settings)
    try:
        front.start()
        return front.logs().splitlines()
    finally:
        front.stop()


def test_log_of_a_start_holds_nothing_that_is_not_json(secrets: Path) -> None:
    assert [json.loads(line) for line in lines_of_a_start(secrets, {})] == []


def test_entrypoint_tells_what_it_does_unless_it_is_asked_not_to(secrets: Path) -> None:
    lines = lines_of_a_start(secrets, {"NGINX_ENTRYPOINT_QUIET_LOGS": ""})

    assert any("10-settings.envsh" in line for line in lines)
