"""What still works while Postgres, Redis or the master is away."""

from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn

import pytest
from flask import Flask

from locust_fleet.console import app
from locust_fleet.errors import StoreUnavailable
from locust_fleet.runtime.postgres import Connection
from locust_fleet.settings.console import ConsoleSettings
from tests.integration.console.conftest import (
    PAGE,
    RUN_ID,
    Front,
    Master,
    parts_of,
    running_status,
    signed_in,
)
from tests.support.ports import free_port


def away() -> NoReturn:
    raise StoreUnavailable("Postgres does not answer")


@pytest.fixture
def lame(build: Callable[..., Flask]) -> Flask:
    """A console that has never reached Postgres."""
    return build(connect=away)


@pytest.fixture
def olga_there(lame: Flask, olga: Front) -> Front:
    """Olga, who signed in while Postgres was still there."""
    return Front(lame, cookie=olga.cookie)


def test_a_session_is_verified_without_postgres(olga_there: Front) -> None:
    assert [
        olga_there.verdict("GET", "/").status_code,
        olga_there.verdict("POST", "/stop").status_code,
    ] == [
        204,
        204,
    ]


def test_signing_in_says_what_is_missing(lame: Flask) -> None:
    answer = Front(lame).sign_in("olga")

    assert answer.status_code == 503
    assert "Signing in needs the database" in answer.text
    assert 'value="olga"' in answer.text


def test_the_page_of_runs_shows_the_active_one(olga_there: Front, master: Master) -> None:
    master.status = running_status()

    answer = olga_there.ask("GET", "/console/runs", headers=PAGE)

    assert answer.status_code == 503
    assert "The results database does not answer" in answer.text
    assert f'href="/console/runs/{RUN_ID}"' in answer.text


def test_the_active_run_is_shown_and_can_be_stopped(olga_there: Front, master: Master) -> None:
    master.status = running_status()

    page = olga_there.ask("GET", f"/console/runs/{RUN_ID}", headers=PAGE)
    answer = olga_there.ask("POST", f"/api/v1/runs/{RUN_ID}/stop", headers=PAGE)

    assert page.status_code == 200
    assert "These numbers are from the master alone" in page.text
    assert f'action="/api/v1/runs/{RUN_ID}/stop"' in page.text
    assert (answer.status_code, answer.headers["Location"]) == (303, f"/console/runs/{RUN_ID}")
    assert [path for path, _, _ in master.asked] == ["/stop"]


def test_the_api_tells_of_the_active_run(olga_there: Front, master: Master) -> None:
    master.status = running_status()

    run = olga_there.ask("GET", f"/api/v1/runs/{RUN_ID}").json

    assert run is not None
    assert (run["state"], run["stored"], run["totals"][0]["requests"]) == ("running", False, 120)
    assert run["live"]["users"] == 10


@pytest.mark.parametrize("path", ["/api/v1/runs", "/api/v1/runs/20250101-000000-0000"])
def test_the_api_says_what_is_missing(olga_there: Front, path: str) -> None:
    answer = olga_there.ask("GET", path)

    assert answer.status_code == 503
    assert answer.json is not None
    assert answer.json["code"] == "store_unavailable"


def test_an_admin_page_says_what_is_missing(lame: Flask, adam: Front) -> None:
    answer = Front(lame, cookie=adam.cookie).ask("GET", "/console/admin", headers=PAGE)

    assert answer.status_code == 503
    assert "The results database does not answer" in answer.text


def test_a_token_cannot_be_checked_without_ever_having_seen_postgres(lame: Flask) -> None:
    verdict = Front(lame, token="fleet_x").verdict("GET", "/")

    assert verdict.headers["X-Fleet-Refusal"].startswith("Tokens cannot be checked while")


def test_audit_entries_wait_for_postgres(
    lame: Flask, olga_there: Front, settings: ConsoleSettings, database: Connection
) -> None:
    olga_there.verdict("POST", "/stop")
    audit = parts_of(lame).audit
    audit.flush()

    audit._connect = app.Stores.of(settings).connect
    audit.flush()
    audit.close()

    rows = database.execute("SELECT actor, action FROM audit_log").fetchall()
    assert rows == [("olga", "stop the run")]


@pytest.fixture
def masterless(build: Callable[..., Flask], settings: ConsoleSettings, people: None) -> Flask:
    return build(replace(settings, master_url=f"http://127.0.0.1:{free_port('127.0.0.1')}"))


def test_ready_names_what_is_missing(masterless: Flask) -> None:
    parts_of(masterless).directory.refresh()

    answer = masterless.test_client().get("/ready")

    assert answer.status_code == 503
    assert answer.json == {
        "ready": False,
        "postgres": True,
        "redis": True,
        "leader": False,
        "workers": 0,
        "missing": ["leader", "workers"],
    }


def test_ready_without_postgres_is_ready_because_a_run_can_be_stopped(lame: Flask) -> None:
    answer = lame.test_client().get("/ready")

    assert answer.status_code == 200
    assert answer.json is not None
    assert (answer.json["missing"], answer.json["workers"]) == (["postgres"], 2)


def test_without_the_master_a_start_says_so(masterless: Flask) -> None:
    olga = signed_in(masterless, "olga")

    answer = olga.ask("POST", "/api/v1/runs", json={"users": 1, "spawn_rate": 1})

    assert answer.status_code == 503
    assert answer.json == {
        "error": "The load test master does not answer.",
        "code": "master_unavailable",
    }


def test_without_the_master_the_pages_still_show_past_runs(masterless: Flask) -> None:
    answer = signed_in(masterless, "olga").ask("GET", "/console/runs", headers=PAGE)

    assert answer.status_code == 200
    assert "The load test master does not answer" in answer.text


def test_a_master_that_does_not_know_the_secret_is_away(
    build: Callable[..., Flask], settings: ConsoleSettings
) -> None:
    console = build(replace(settings, front_secret="other"))

    assert parts_of(console).history.status() is None
