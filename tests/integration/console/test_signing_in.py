"""Signing in and out, with a real Postgres and Redis."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Flask

from locust_fleet.console.access import accounts, tokens
from locust_fleet.console.access.roles import Role
from locust_fleet.runtime.postgres import Connection
from locust_fleet.settings.console import ConsoleSettings
from locust_fleet.settings.stores import RedisSettings
from tests.integration.console.conftest import (
    PAGE,
    PASSWORD,
    PASSWORD_HASH,
    Front,
    audit_of,
    parts_of,
    signed_in,
)
from tests.support.ports import free_port
from tests.support.redis import redis_client


def test_nobody_gets_in_without_the_front_secret(console: Flask) -> None:
    client = console.test_client()
    paths = ["/auth", "/refused", "/console/sign-in", "/api/v1/runs", "/console/static/icon.svg"]

    assert [client.get(path).status_code for path in paths] == [403] * 5
    assert client.get("/health").status_code == 200


def test_a_person_is_sent_to_the_sign_in_page_and_back(console: Flask) -> None:
    front = Front(console)

    answer = front.ask("GET", "/console/runs?before=x", headers=PAGE)

    assert answer.status_code == 302
    assert answer.headers["Location"] == "/console/sign-in?next=/console/runs%3Fbefore%3Dx"
    page = front.ask("GET", answer.headers["Location"], headers=PAGE)
    assert 'name="next" value="/console/runs?before=x"' in page.text


def test_a_program_gets_401_json(console: Flask) -> None:
    answer = Front(console).ask("GET", "/api/v1/runs", headers={"Accept": "*/*"})

    assert (answer.status_code, answer.json) == (401, {"error": "Sign in first."})


def test_the_right_password_opens_a_session(console: Flask) -> None:
    front = Front(console)

    answer = front.ask(
        "POST",
        "/console/sign-in",
        data={"name": "olga", "password": PASSWORD, "next": "/console/runs"},
    )

    assert (answer.status_code, answer.headers["Location"]) == (303, "/console/runs")
    front.sign_in("olga")
    verdict = front.verdict("GET", "/")
    assert verdict.headers["X-Fleet-User"] == "olga"
    assert verdict.headers["X-Fleet-Role"] == "operator"


@pytest.mark.parametrize("name", ["olga", "nobody", "x\x00y", "\u00e4", "a" * 500, ""])
def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(
    console: Flask, name: str
) -> None:
    answer = Front(console).sign_in(name, "wrong")

    assert answer.status_code == 401
    assert "Name or password is wrong." in answer.text
    assert "Set-Cookie" not in answer.headers


def test_a_cross_site_sign_in_is_refused(console: Flask) -> None:
    answer = Front(console).ask(
        "POST",
        "/console/sign-in",
        origin="https://evil.example",
        data={"name": "olga", "password": PASSWORD},
    )

    assert answer.status_code == 403


def test_guessing_is_slowed_down_even_with_the_right_password(console: Flask) -> None:
    front = Front(console)

    statuses = [front.sign_in("olga", "wrong").status_code for _ in range(4)]
    right = front.sign_in("olga")

    assert statuses == [401, 401, 401, 429]
    assert right.status_code == 429
    assert "Too many failed sign-ins; try again in 1 second." in right.text
    assert right.headers["Retry-After"] == "1"


def test_a_success_forgets_the_failures(console: Flask) -> None:
    front = Front(console)
    for _ in range(2):
        front.sign_in("olga", "wrong")

    front.sign_in("olga")

    assert [front.sign_in("olga", "wrong").status_code for _ in range(3)] == [401] * 3


def test_many_names_from_one_address_are_slowed_down_too(console: Flask) -> None:
    front = Front(console)

    statuses = [front.sign_in(f"guess{number}", "wrong").status_code for number in range(11)]

    assert statuses == [401] * 10 + [429]


def test_all_processes_count_failures_together(build: Callable[..., Flask], people: None) -> None:
    fronts = [Front(build()) for _ in range(2)]

    statuses = [fronts[number % 2].sign_in("olga", "wrong").status_code for number in range(4)]

    assert statuses == [401, 401, 401, 429]


def test_counters_in_redis_tell_no_name_and_expire(
    console: Flask, redis_settings: RedisSettings
) -> None:
    Front(console).sign_in("olga", "wrong")

    with redis_client(redis_settings) as client:
        keys = client.keys("*")
        lives = [client.ttl(key) for key in keys]

    assert len(keys) == 2
    assert all(key.startswith(b"fleet:signin:") and b"olga" not in key for key in keys)
    assert all(0 < life <= 900 for life in lives)


def test_guessing_is_slowed_down_without_redis(
    build: Callable[..., Flask], settings: ConsoleSettings, people: None
) -> None:
    nowhere = RedisSettings("127.0.0.1", free_port("127.0.0.1"), "x")
    front = Front(build(replace(settings, redis=nowhere)))

    statuses = [front.sign_in("olga", "wrong").status_code for _ in range(4)]

    assert statuses == [401, 401, 401, 429]


def test_a_disabled_account_does_not_get_in_and_its_session_ends(
    console: Flask, database: Connection, olga: Front
) -> None:
    accounts.disable(database, "olga")
    parts_of(console).directory.refresh()

    assert olga.verdict("GET", "/").headers["X-Fleet-Refusal"] == (
        "This session has ended; sign in again."
    )
    answer = Front(console).sign_in("olga")
    assert answer.status_code == 401
    assert "This account is disabled" in answer.text


def test_enabling_an_account_does_not_bring_its_old_sessions_back(
    console: Flask, database: Connection, olga: Front
) -> None:
    accounts.disable(database, "olga")
    accounts.enable(database, "olga")
    parts_of(console).directory.refresh()

    assert olga.verdict("GET", "/").status_code == 401
    assert Front(console).sign_in("olga").status_code == 303


def test_signing_out_takes_the_cookie_away(olga: Front) -> None:
    answer = olga.ask("POST", "/console/sign-out")

    assert answer.headers["Location"] == "/console/sign-in"
    assert "Max-Age=0" in answer.headers["Set-Cookie"]


def test_signing_out_everywhere_ends_other_sessions_at_once_here(
    console: Flask, olga: Front
) -> None:
    phone = signed_in(console, "olga")

    olga.ask("POST", "/console/account", data={"action": "sign-out-everywhere"})

    assert phone.verdict("GET", "/").status_code == 401
    assert signed_in(console, "olga").verdict("GET", "/").status_code == 204


def test_a_new_password_ends_other_sessions_and_keeps_this_one(console: Flask, olga: Front) -> None:
    phone = signed_in(console, "olga")
    form = {"password": PASSWORD, "new": "another password", "again": "another password"}

    answer = olga.ask("POST", "/console/account", data=form)

    olga.cookie = answer.headers["Set-Cookie"].partition("=")[2].partition(";")[0]
    assert olga.verdict("GET", "/").status_code == 204
    assert phone.verdict("GET", "/").status_code == 401
    assert Front(console).sign_in("olga").status_code == 401
    assert Front(console).sign_in("olga", "another password").status_code == 303


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        (("wrong", "another password", "another password"), "present password is wrong"),
        ((PASSWORD, "another password", "a different one"), "not repeated exactly"),
        ((PASSWORD, "short", "short"), "at least 10 characters"),
    ],
)
def test_a_password_is_changed_only_with_care(
    console: Flask, olga: Front, form: tuple[str, str, str], sentence: str
) -> None:
    data = dict(zip(("password", "new", "again"), form, strict=True))

    answer = olga.ask("POST", "/console/account", data=data)

    assert answer.status_code == 422
    assert sentence in answer.text
    assert Front(console).sign_in("olga").status_code == 303


def test_a_changed_role_counts_after_the_next_reading(
    console: Flask, database: Connection, olga: Front
) -> None:
    before = olga.verdict("POST", "/stop").status_code
    accounts.set_role(database, "olga", Role.VIEWER)

    parts_of(console).directory.refresh()

    assert (before, olga.verdict("POST", "/stop").status_code) == (204, 403)


def test_somebody_added_a_moment_ago_gets_in_though_the_snapshot_is_older(
    console: Flask, database: Connection
) -> None:
    accounts.add(database, "nina", PASSWORD_HASH, Role.VIEWER)

    assert signed_in(console, "nina").verdict("GET", "/").status_code == 204


def test_a_token_that_was_just_created_elsewhere_is_known_at_once(
    console: Flask, database: Connection
) -> None:
    token = tokens.create(database, "ci", Role.OPERATOR, None, "adam")

    verdict = Front(console, token=token).verdict("POST", "/stop", origin=None)

    assert verdict.status_code == 204
    assert verdict.headers["X-Fleet-User"] == "token:ci"


def test_a_revoked_token_is_refused_after_the_next_reading(
    console: Flask, database: Connection
) -> None:
    front = Front(console, token=tokens.create(database, "ci", Role.OPERATOR, None, "adam"))
    front.verdict("GET", "/")
    [token] = tokens.read_all(database)

    tokens.revoke(database, token.id)
    parts_of(console).directory.refresh()

    assert front.verdict("GET", "/").headers["X-Fleet-Refusal"] == (
        "This token is unknown, expired or revoked."
    )


def test_the_use_of_a_token_is_remembered(console: Flask, database: Connection) -> None:
    front = Front(console, token=tokens.create(database, "ci", Role.VIEWER, None, "adam"))
    front.verdict("GET", "/")

    parts_of(console).directory.refresh()

    assert tokens.read_all(database)[0].last_used_at is not None


def test_no_token_is_stored_as_it_is(database: Connection) -> None:
    token = tokens.create(database, "ci", Role.VIEWER, None, "adam")

    rows = database.execute("SELECT api_tokens::text FROM api_tokens").fetchall()

    assert token.startswith("fleet_")
    assert token.removeprefix("fleet_") not in str(rows)


def test_sign_ins_and_refusals_are_in_the_audit_log(
    console: Flask, database: Connection, vera: Front
) -> None:
    front = Front(console)
    front.sign_in("olga", "wrong")
    front.sign_in("my-secret-password", "wrong")
    vera.verdict("POST", "/stop")
    vera.verdict("DELETE", "/whatever")
    vera.verdict("GET", "/console/admin")
    signed_in(console, "olga").verdict("POST", "/swarm")

    assert audit_of(console, database) == [
        ("vera", "sign in", True),
        ("olga", "sign in", False),
        ("(unknown name)", "sign in", False),
        ("vera", "stop the run", False),
        ("vera", "ask for what is not allowed", False),
        ("olga", "sign in", True),
        ("olga", "start or change a run", True),
    ]


def test_strangers_cannot_fill_the_audit_log(console: Flask, database: Connection) -> None:
    Front(console).verdict("POST", "/stop")
    Front(console, token="fleet_made_up").verdict("POST", "/stop")

    assert audit_of(console, database) == []


def test_a_viewer_who_presses_stop_reads_why_it_does_not(vera: Front) -> None:
    program = vera.ask("POST", "/stop")
    person = vera.ask("GET", "/console/admin", headers=PAGE)

    assert (program.status_code, program.json) == (
        403,
        {"error": "This needs the role operator; you have the role viewer."},
    )
    assert person.status_code == 403
    assert "This needs the role admin; you have the role viewer." in person.text
