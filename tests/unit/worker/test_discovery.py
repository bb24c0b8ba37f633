"""A worker finds the master that leads among those that do not, with Redis and without."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from locust_fleet.settings.stores import RedisSettings
from locust_fleet.worker.discovery import (
    Address,
    LeaderDiscovery,
    candidates,
    format_address,
    parse_address,
)

LEADER, STANDBY, PAUSED = ("10.0.0.1", 5557), ("10.0.0.2", 5557), ("10.0.0.3", 5557)
NO_REDIS = RedisSettings("127.0.0.1", 1, "")


@contextmanager
def listening(host: str, port: int = 0) -> Iterator[int]:
    with socket.create_server((host, port)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def name(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Addresses that the name "masters" stands for."""
    addresses: list[str] = []

    look_up_other = socket.getaddrinfo

    def look_up(host: str, port: int, *args: Any, **kwargs: Any) -> list[Any]:
        if host != "masters":
            return look_up_other(host, port, *args, **kwargs)
        if not addresses:
            raise socket.gaierror(f"{host} is not known")
        return [(2, 1, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr("locust_fleet.worker.discovery.socket.getaddrinfo", look_up)
    return addresses


def find(port: int, redis: RedisSettings | None = None, silent: Address | None = None) -> object:
    return LeaderDiscovery(redis, "masters", port).find(silent)


def test_the_address_in_the_lease_comes_first() -> None:
    assert candidates(LEADER, [STANDBY, LEADER], None) == [LEADER, STANDBY]


def test_a_silent_leader_comes_last_unless_the_lease_names_it() -> None:
    assert candidates(None, [PAUSED, LEADER, STANDBY], PAUSED) == [LEADER, STANDBY, PAUSED]
    assert candidates(PAUSED, [PAUSED, LEADER], PAUSED) == [PAUSED, LEADER]


def test_an_address_is_tried_once() -> None:
    assert candidates(None, [LEADER, LEADER], None) == [LEADER]


@pytest.mark.parametrize("address", [LEADER, ("fd00::7", 5557)])
def test_an_address_is_read_as_it_is_written(address: Address) -> None:
    assert parse_address(format_address(address)) == address


@pytest.mark.parametrize("redis", [None, NO_REDIS])
def test_standbys_that_do_not_listen_are_skipped(
    name: list[str], redis: RedisSettings | None
) -> None:
    name += ["127.0.0.82", "127.0.0.83", "127.0.0.84"]
    with listening("127.0.0.83") as port:
        assert find(port, redis) == ("127.0.0.83", port)


def test_another_master_than_the_silent_one_is_found(name: list[str]) -> None:
    name += ["127.0.0.82", "127.0.0.83"]
    with listening("127.0.0.82") as port, listening("127.0.0.83", port):
        assert find(port, silent=("127.0.0.82", port)) == ("127.0.0.83", port)


def test_without_a_listening_master_none_is_found(name: list[str]) -> None:
    assert find(5557) is None
    name += ["127.0.0.82"]
    assert find(1) is None
