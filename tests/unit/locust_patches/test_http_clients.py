from typing import Any

import pytest

from locust_fleet.locust_patches.http_clients import cached

ADDRESSES = [f"10.0.0.{host}" for host in range(20)]


class NameServer:
    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.now = 0.0
        self.up = True

    def look_up(self, *question: Any) -> list[str]:
        self.asked.append(question)
        if not self.up:
            raise OSError("no answer")
        return ADDRESSES

    def clock(self) -> float:
        return self.now


@pytest.fixture
def server() -> NameServer:
    return NameServer()


def test_a_host_is_asked_for_once_until_its_time_is_over(server: NameServer) -> None:
    look_up = cached(server.look_up, 10, server.clock)

    for server.now in (0.0, 9.9, 10.0):
        assert sorted(look_up("shop", 80)) == sorted(ADDRESSES)
    look_up("other", 80)

    assert server.asked == [("shop", 80), ("shop", 80), ("other", 80)]


def test_connections_spread_over_all_addresses(server: NameServer) -> None:
    look_up = cached(server.look_up, 10, server.clock)

    assert len({look_up("shop", 80)[0] for _ in range(200)}) > 10


def test_a_failure_is_not_cached(server: NameServer) -> None:
    look_up = cached(server.look_up, 10, server.clock)
    server.up = False
    with pytest.raises(OSError, match="no answer"):
        look_up("shop", 80)

    server.up = True
    assert sorted(look_up("shop", 80)) == sorted(ADDRESSES)
