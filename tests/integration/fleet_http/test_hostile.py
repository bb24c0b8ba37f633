"""Whatever a server does: a reason or an answer, in time, and the same user goes on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.fleet_http.attacks import DANGERS, Verdict
from tests.integration.fleet_http.conftest import Siege

# The timeout of the user, and what a busy machine may add.
REQUEST_LIMIT_S = 2.5
# The largest answer that the user takes, a few times over.
MEMORY = 150_000_000
# Until what the server says or does unasked is there.
PAUSES_S = {"smuggles_later": 0.3, "closes_when_idle": 0.1}
FINE: dict[str, Any] = {"path": "/fine"}


def met(siege: Siege, name: str) -> dict[str, Any]:
    """Ask for an attack, then twice for what is fine."""
    danger = DANGERS[name]
    method = "POST" if danger.body else "GET"
    attack: dict[str, Any] = {"path": f"/{name}", "method": method, "body": danger.body}
    asks = [
        {**attack, "headers": dict(danger.headers)},
        {**FINE, "pause_s": PAUSES_S.get(name, 0.0)},
        FINE,
    ]
    return siege.of("http", *asks)


@pytest.mark.parametrize("name", DANGERS)
def test_an_attack_is_one_request_in_the_statistics(siege: Siege, name: str) -> None:
    answer = met(siege, name)["answers"][0]

    assert (len(answer["reported"]), answer["raised"]) == (1, None)


@pytest.mark.parametrize("name", DANGERS)
def test_an_attack_fails_with_a_reason_or_the_bytes_are_fine(siege: Siege, name: str) -> None:
    outcome = met(siege, name)

    failed = outcome["answers"][0]["reported"][0]["failed"]
    assert DANGERS[name].verdict in (Verdict.EITHER, Verdict.FAILS if failed else Verdict.WORKS)
    assert len(outcome["reasons"]) == failed


@pytest.mark.parametrize("name", DANGERS)
def test_an_attack_takes_no_longer_than_the_timeout(siege: Siege, name: str) -> None:
    assert met(siege, name)["answers"][0]["took_s"] < REQUEST_LIMIT_S


@pytest.mark.parametrize("name", DANGERS)
def test_an_attack_is_asked_for_once(siege: Siege, name: str) -> None:
    asked = met(siege, name)["asked"][f"/{name}"]

    assert asked <= (31 if name.startswith("redirects_") else 1)


@pytest.mark.parametrize("name", DANGERS)
def test_nobody_gets_an_answer_that_nobody_asked_for(siege: Siege, name: str) -> None:
    texts = [answer["text"] for answer in met(siege, name)["answers"]]

    assert "EVIL" not in str(texts[0])
    assert texts[1:] == ["fine", "fine"]


@pytest.mark.parametrize("name", DANGERS)
def test_an_attack_leaves_no_connection(siege: Siege, name: str) -> None:
    outcome = met(siege, name)

    assert (outcome["left_open"], outcome["in_flight"]) == (0, 0)


@pytest.mark.parametrize("name", DANGERS)
def test_an_attack_takes_little_memory(siege: Siege, name: str) -> None:
    assert met(siege, name)["memory"] < MEMORY
