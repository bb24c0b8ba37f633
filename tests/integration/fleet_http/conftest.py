"""A server that records, one that attacks, and a child process for each kind of user."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.fleet_http import certificates
from tests.integration.fleet_http.attacks import DANGERS, MORE, PROXIES
from tests.integration.fleet_http.certificates import Certificates
from tests.integration.fleet_http.hostile import Hostile
from tests.integration.fleet_http.player import Player
from tests.integration.fleet_http.recorder import Recorder

KINDS = ("HttpUser", "FastHttpUser", "FleetHttpUser")


@pytest.fixture(scope="session")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="session")
def players(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Player]]:
    folder = tmp_path_factory.mktemp("players")
    players = {kind: Player(kind, folder / f"{kind}.log") for kind in KINDS}
    yield players
    for player in players.values():
        player.close()


class Outcomes:
    """What each user did in each scenario, played when it is first asked for."""

    def __init__(self, recorder: Recorder, players: dict[str, Player]) -> None:
        self._recorder = recorder
        self._players = players
        self._known: dict[tuple[str, str], dict[str, Any]] = {}

    def of(self, kind: str, scenario: str) -> dict[str, Any]:
        if (kind, scenario) not in self._known:
            self._recorder.take()
            outcome = self._players[kind].do(self._recorder.places, scenario=scenario)
            self._known[kind, scenario] = {**outcome, "seen": self._recorder.take()}
        return self._known[kind, scenario]


@pytest.fixture(scope="session")
def recorder(tmp_path_factory: pytest.TempPathFactory, signed: Certificates) -> Iterator[Recorder]:
    recorder = Recorder(tmp_path_factory.mktemp("recorder"), signed)
    yield recorder
    recorder.close()


@pytest.fixture(scope="session")
def outcomes(recorder: Recorder, players: dict[str, Player]) -> Outcomes:
    return Outcomes(recorder, players)


@pytest.fixture(scope="session")
def hostile(signed: Certificates) -> Iterator[Hostile]:
    attacks = {name: one.attack for name, one in DANGERS.items()}
    hostile = Hostile(attacks | MORE, PROXIES, signed)
    yield hostile
    hostile.close()


class Siege:
    """What became of our user before the hostile server, when it is first asked for."""

    def __init__(self, hostile: Hostile, player: Player) -> None:
        self._hostile = hostile
        self._player = player
        self._known: dict[str, dict[str, Any]] = {}

    @property
    def places(self) -> dict[str, Any]:
        return self._hostile.places

    def of(self, place: str, *asks: dict[str, Any]) -> dict[str, Any]:
        key = json.dumps([place, asks])
        if key not in self._known:
            self._hostile.take()
            outcome = self._player.do(self._hostile.places, place=place, asks=asks)
            asked, connections = self._hostile.take()
            self._known[key] = {**outcome, "asked": asked, "connections": connections}
        return self._known[key]


@pytest.fixture(scope="session")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Player]:
    """A process of its own: what its user leaves behind is counted."""
    player = Player("FleetHttpUser", tmp_path_factory.mktemp("victim") / "log")
    yield player
    player.close()


@pytest.fixture(scope="session")
def siege(hostile: Hostile, victim: Player) -> Siege:
    return Siege(hostile, victim)
