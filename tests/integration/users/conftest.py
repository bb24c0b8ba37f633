"""One recording server, and players that share it one after another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.users import certificates
from tests.integration.users.player import Player
from tests.integration.users.recorder import Recorder

KINDS = ("HttpUser", "FastHttpUser")


class Outcomes:
    """What each user did in each scenario, played when it is first asked for."""

    def __init__(self, recorder: Recorder, folder: Path) -> None:
        self._recorder = recorder
        self._players = {
            kind: Player(kind, recorder.places, folder / f"{kind}.log") for kind in KINDS
        }
        self._known: dict[tuple[str, str], dict[str, Any]] = {}

    def of(self, kind: str, scenario: str) -> dict[str, Any]:
        if (kind, scenario) not in self._known:
            self._recorder.take()
            outcome = self._players[kind].play(scenario)
            self._known[kind, scenario] = {**outcome, "seen": self._recorder.take()}
        return self._known[kind, scenario]

    def close(self) -> None:
        for player in self._players.values():
            player.close()


@pytest.fixture(scope="session")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcomes]:
    folder = tmp_path_factory.mktemp("users")
    recorder = Recorder(folder, certificates.make(folder))
    outcomes = Outcomes(recorder, folder)
    yield outcomes
    outcomes.close()
    recorder.close()
