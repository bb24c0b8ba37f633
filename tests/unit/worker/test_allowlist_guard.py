"""A worker's HTTP users reach allowed targets and no others, however they are sent there."""

from locust import FastHttpUser, HttpUser
from locust.env import Environment
from locust.event import Events

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from gevent.pywsgi import WSGIServer

from fleet_http.hooks import HOOKS
from locust_fleet.policy.allowlist import Allowlist
from locust_fleet.users import FleetHttpUser
from locust_fleet.worker.allowlist_guard import AllowlistGuard

Kind = type[HttpUser] | type[FastHttpUser] | type[FleetHttpUser]
ALLOWED, FORBIDDEN = "127.0.0.32", "127.0.0.33"


class Server:
    """A target that counts what it served; /away redirects to the forbidden one."""

    def __init__(self, address: str) -> None:
        self.served: list[str] = []
        self._server = WSGIServer((address, 0), self._answer, log=None)
        self._server.start()
        self.url = f"http://{address}:{self._server.server_port}"
        self.elsewhere = ""

    def _answer(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.served.append(environ["PATH_INFO"])
        if environ["PATH_INFO"] == "/away":
            start_response("302 Found", [("Location", self.elsewhere)])
            return [b""]
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"ok"]

    def stop(self) -> None:
        self._server.stop()


@pytest.fixture
def allowed() -> Iterator[Server]:
    server = Server(ALLOWED)
    yield server
    server.stop()


@pytest.fixture
def forbidden(allowed: Server) -> Iterator[Server]:
    server = Server(FORBIDDEN)
    allowed.elsewhere = f"{server.url}/"
    yield server
    server.stop()


@pytest.fixture
def refused() -> list[str]:
    return []


@pytest.fixture(autouse=True)
def guard(monkeypatch: pytest.MonkeyPatch, refused: list[str]) -> None:
    import geventhttpclient.connectionpool as fast
    import requests.adapters

    # All are put back after the test.
    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", requests.adapters.HTTPAdapter.send)
    monkeypatch.setattr(fast.ConnectionPool, "_create_socket", fast.ConnectionPool._create_socket)
    monkeypatch.setattr(HOOKS, "may_connect", HOOKS.may_connect)
    AllowlistGuard(Allowlist.parse([ALLOWED]), refused.append).install()


def get(kind: Kind, host: str, path: str, **attributes: Any) -> Any:
    """Make one request of a fresh user; returns the statistics."""
    environment = Environment(user_classes=[], events=Events())
    environment.create_local_runner()
    user = type("Shopper", (kind,), {"host": host, **attributes})(environment)
    with closing(user.client.client if kind is FastHttpUser else user.client):
        user.client.get(path)
    return environment.stats


KINDS = pytest.mark.parametrize("kind", [HttpUser, FastHttpUser, FleetHttpUser])


@KINDS
def test_an_allowed_target_is_reached(kind: Any, allowed: Server) -> None:
    stats = get(kind, allowed.url, "/")

    assert (allowed.served, stats.total.num_failures) == (["/"], 0)


@KINDS
def test_another_host_is_never_asked(kind: Any, forbidden: Server) -> None:
    stats = get(kind, forbidden.url, "/")

    assert (forbidden.served, stats.total.num_failures) == ([], 1)


@KINDS
def test_an_absolute_url_does_not_lead_out(kind: Any, allowed: Server, forbidden: Server) -> None:
    get(kind, allowed.url, f"{forbidden.url}/")

    assert forbidden.served == []


@KINDS
def test_a_redirect_does_not_lead_out(kind: Any, allowed: Server, forbidden: Server) -> None:
    get(kind, allowed.url, "/away")

    assert (allowed.served, forbidden.served) == (["/away"], [])


@KINDS
def test_the_failure_says_why_and_what_to_do(kind: Any, forbidden: Server) -> None:
    stats = get(kind, forbidden.url, "/")

    [error] = stats.errors.values()
    assert "is not in ALLOWED_TARGETS" in str(error.error)


@KINDS
def test_each_refused_address_is_reported_once(
    kind: Any, forbidden: Server, refused: list[str]
) -> None:
    get(kind, forbidden.url, "/a")
    get(kind, forbidden.url, "/b")

    assert refused == [forbidden.url]


def test_a_proxy_of_a_fast_user_does_not_lead_out(allowed: Server, forbidden: Server) -> None:
    port = int(forbidden.url.rpartition(":")[2])

    stats = get(FastHttpUser, allowed.url, "/", proxy_host=FORBIDDEN, proxy_port=port)

    assert (forbidden.served, stats.total.num_failures) == ([], 1)


def test_a_proxy_of_a_fleet_user_does_not_lead_out(
    allowed: Server, forbidden: Server, refused: list[str]
) -> None:
    get(FleetHttpUser, allowed.url, "/", proxies={"http": forbidden.url})

    assert (forbidden.served, refused) == ([], [forbidden.url])


def test_a_unix_socket_does_not_lead_out(
    allowed: Server, refused: list[str], tmp_path: Path
) -> None:
    get(FleetHttpUser, allowed.url, "/", unix_socket=f"{tmp_path}/s")

    assert refused == [f"unix://{tmp_path}/s"]


def test_a_proxy_from_the_environment_does_not_lead_out(
    allowed: Server, forbidden: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", forbidden.url)

    get(HttpUser, allowed.url, "/")

    assert forbidden.served == []
