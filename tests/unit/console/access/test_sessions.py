from types import SimpleNamespace

import pytest
from flask import Response

from locust_fleet.console.access.roles import Role
from locust_fleet.console.access.sessions import COOKIE, LoginSession, LoginSessions, delete_cookie

SESSION = LoginSession("ada", Role.OPERATOR, 1_700_000_000_000_001)


def test_a_session_is_read_as_it_was_signed() -> None:
    sessions = LoginSessions("key", hours=1)

    assert sessions.read(sessions.sign(SESSION)) == SESSION


@pytest.mark.parametrize("value", ["", "x", "a.b.c", "W10.aUeCAA.x", "\u00e4.\u00f6", "." * 5000])
def test_a_value_that_this_key_did_not_sign_is_no_session(value: str) -> None:
    assert LoginSessions("key", hours=1).read(value) is None


def test_a_session_of_another_key_is_none() -> None:
    assert LoginSessions("key", hours=1).read(LoginSessions("other", hours=1).sign(SESSION)) is None


def test_a_changed_session_is_none() -> None:
    sessions = LoginSessions("key", hours=1)
    viewer, admin = (
        sessions.sign(LoginSession("ada", role, 1)) for role in (Role.VIEWER, Role.ADMIN)
    )

    assert sessions.read(admin.split(".")[0] + viewer[viewer.index(".") :]) is None


@pytest.mark.parametrize(("later_s", "valid"), [(7199, True), (7201, False), (-60, False)])
def test_a_session_lasts_its_hours_from_the_sign_in(
    monkeypatch: pytest.MonkeyPatch, later_s: int, valid: bool
) -> None:
    clock = SimpleNamespace(time=lambda: 1_800_000_000)
    monkeypatch.setattr("itsdangerous.timed.time", clock)
    sessions = LoginSessions("key", hours=2)
    value = sessions.sign(SESSION)

    clock.time = lambda: 1_800_000_000 + later_s

    assert (sessions.read(value) is not None) is valid


def test_the_cookie_is_for_this_host_and_out_of_reach_of_scripts() -> None:
    response = Response()

    LoginSessions("key", hours=1).set_cookie(response, SESSION)

    name, _, attributes = response.headers["Set-Cookie"].partition("=")
    assert name == COOKIE
    assert set(attributes.split("; ")[1:]) >= {
        "Secure",
        "HttpOnly",
        "Path=/",
        "SameSite=Lax",
        "Max-Age=3600",
    }
    assert "Domain" not in attributes


def test_signing_out_deletes_the_cookie_with_the_same_attributes() -> None:
    response = Response()

    delete_cookie(response)

    assert set(response.headers["Set-Cookie"].split("; ")) >= {
        f"{COOKIE}=",
        "Secure",
        "HttpOnly",
        "Path=/",
        "SameSite=Lax",
        "Max-Age=0",
    }
