"""Prometheus, Alertmanager and Grafana behind the front: who comes, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from tests.integration.front.conftest import ADMIN, OPERATOR, PAGE, VIEWER, Front
from tests.integration.front.stub import SESSION
from tests.support.engine import docker
from tests.support.waiting import wait_until

pytestmark = pytest.mark.docker


def answers(front: Front, place: str) -> bool:
    return front.ask("GET", f"/{place}/", ADMIN).status == 200


@pytest.fixture(scope="module")
def watched(front: Front) -> Iterator[Front]:
    """The front with Grafana and Prometheus, and no Alertmanager."""
    for name in ("grafana", "prometheus"):
        front.start_stub(name, name)
    try:
        for name in ("grafana", "prometheus"):
            wait_until(partial(answers, front, name), f"the stub of {name} answering", 20)
        yield front
    finally:
        for name in ("grafana", "prometheus"):
            front.remove(name)


@pytest.mark.parametrize(
    ("who", "role"), [(VIEWER, "Viewer"), (OPERATOR, "Editor"), (ADMIN, "Admin")]
)
def test_grafana_is_told_name_and_role(watched: Front, who: dict[str, str], role: str) -> None:
    forged = {"X-Fleet-User": "root", "X-Grafana-Role": "Admin"}

    answer = watched.ask("GET", "/grafana/d/run?var-run=x", who | forged)

    assert answer.json["path"] == "/grafana/d/run?var-run=x"
    assert answer.received("X-Fleet-User") == ["ann"]
    assert answer.received("X-Grafana-Role") == [role]


@pytest.mark.parametrize("place", ["grafana", "prometheus"])
def test_they_never_see_a_session_nor_give_one(watched: Front, place: str) -> None:
    answer = watched.ask("GET", f"/{place}/x", ADMIN)

    assert answer.received("Cookie") == []
    assert answer.received("Authorization") == []
    assert answer.received("X-Fleet-Front") == []
    assert answer.header("Set-Cookie") is None
    assert SESSION not in str(answer.headers)


def test_a_query_reaches_prometheus_as_it_was_sent(watched: Front) -> None:
    answer = watched.ask("POST", "/prometheus/api/v1/query", ADMIN, "query=up")

    assert (answer.json["method"], answer.json["body"]) == ("POST", "query=up")


def test_pages_of_prometheus_may_have_their_scripts_and_nothing_from_elsewhere(
    watched: Front,
) -> None:
    policy = watched.ask("GET", "/prometheus/graph", ADMIN).header("Content-Security-Policy") or ""

    assert policy.startswith("default-src 'self'; script-src 'self' 'unsafe-inline';")
    assert "frame-ancestors 'none'" in policy


def test_grafana_keeps_its_own_policy(watched: Front) -> None:
    answer = watched.ask("GET", "/grafana/", VIEWER)

    assert answer.header("Content-Security-Policy") == "script-src 'nonce-x'"


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        (
            "/grafana/public/build/7567.5d4e5a54fcb6d6d0d2c9.js",
            "private, max-age=31536000, immutable",
        ),
        (
            "/grafana/public/build/grafana.dark.cbbd11e7d0a3.css",
            "private, max-age=31536000, immutable",
        ),
        ("/grafana/public/img/grafana_icon.svg", "private, max-age=3600"),
        ("/grafana/d/run?x=/public/build/1.0123456789ab.js", "no-store"),
    ],
)
def test_browsers_keep_the_parts_of_grafana_and_nothing_else_of_it(
    watched: Front, path: str, kept: str
) -> None:
    assert watched.ask("GET", path, VIEWER).header("Cache-Control") == kept


@pytest.mark.parametrize("place", ["grafana", "prometheus", "alertmanager"])
def test_the_name_alone_leads_to_the_place(watched: Front, place: str) -> None:
    answer = watched.ask("GET", f"/{place}", ADMIN)

    assert (answer.status, answer.header("Location")) == (301, f"/{place}/")


def test_what_is_not_running_is_said_on_a_page(watched: Front) -> None:
    page = watched.ask("GET", "/alertmanager/", PAGE | ADMIN)
    answer = watched.ask("GET", "/alertmanager/api/v2/alerts", ADMIN)

    assert page.status == 503
    assert "<h1>This part of the monitoring is not running</h1>" in page.body.decode()
    assert "MONITORING_ENABLED" in page.body.decode()
    assert (answer.status, answer.json["code"]) == (503, "monitoring_away")


def test_strangers_learn_nothing_of_it(watched: Front) -> None:
    for place in ("grafana", "prometheus", "alertmanager"):
        assert watched.ask("GET", f"/{place}/").status == 401


@pytest.mark.parametrize("path", ["/metrics", "/alerts", "/status"])
def test_what_prometheus_and_alertmanager_ask_for_is_not_outside(front: Front, path: str) -> None:
    answer = front.ask("GET", path, ADMIN)

    # The stub of the console lets all pass: so this is Locust's master, which knows none of them.
    assert answer.json["role"] == "master"


def test_nginx_tells_its_numbers_inside_only(front: Front) -> None:
    code = f"""
import urllib.request
print(urllib.request.urlopen("http://{front.address_of("nginx")}:8081/status").read().decode())
"""
    words = docker("exec", front.containers["console"], "python3", "-c", code)

    assert words.startswith("Active connections:")
    assert "8081/tcp" not in docker("port", front.containers["nginx"])
