"""A FleetHttpUser waits as long as its process says, unless its scenario says otherwise."""

from locust.env import Environment

import pytest

from fleet_http.hooks import HOOKS
from locust_fleet.users import FleetHttpUser


@pytest.fixture(autouse=True)
def process_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HOOKS, "connection_timeout_s", 7)
    monkeypatch.setattr(HOOKS, "network_timeout_s", 8)


def test_the_timeouts_of_the_process_are_the_default() -> None:
    user = type("Shopper", (FleetHttpUser,), {"host": "http://shop.test"})(Environment())

    assert (user.connection_timeout, user.network_timeout) == (7, 8)
    assert FleetHttpUser.network_timeout == 8


def test_a_scenario_may_set_its_own_timeouts() -> None:
    class Shopper(FleetHttpUser):
        host = "http://shop.test"
        connection_timeout = 1.5

        def __init__(self, environment: Environment) -> None:
            self.network_timeout = 2.5
            super().__init__(environment)

    user = Shopper(Environment())

    assert (user.connection_timeout, user.network_timeout) == (1.5, 2.5)
