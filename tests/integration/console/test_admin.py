"""Accounts and tokens, on the admin page and on the command line."""

import argparse
import io
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from locust_fleet.console import commands
from locust_fleet.console.access import accounts, tokens
from locust_fleet.console.access.passwords import verify_password
from locust_fleet.console.access.roles import Role
from locust_fleet.errors import SettingsError
from locust_fleet.runtime import postgres
from locust_fleet.runtime.postgres import Connection
from locust_fleet.settings.stores import PostgresSettings
from tests.integration.console.conftest import PAGE, PASSWORD, Front, audit_of, signed_in
from tests.support.postgres import MIGRATIONS


def post(front: Front, kind: str, **form: str) -> TestResponse:
    return front.ask("POST", f"/console/admin/{kind}", headers=PAGE, data=form)


def secret_of(answer: TestResponse) -> str:
    found = re.search(r"<code[^>]*>([^<]+)</code>", answer.text)
    assert found, answer.text
    return found[1]


def test_an_admin_adds_somebody_with_a_password_shown_once(console: Flask, adam: Front) -> None:
    answer = post(adam, "accounts", action="add", name="nina", role="operator")

    password = secret_of(answer)
    assert password not in adam.ask("GET", "/console/admin", headers=PAGE).text
    assert Front(console).sign_in("nina", password).status_code == 303


def test_an_admin_adds_somebody_with_a_given_password(console: Flask, adam: Front) -> None:
    post(adam, "accounts", action="add", name="nina", role="viewer", password="what she likes")

    assert Front(console).sign_in("nina", "what she likes").status_code == 303


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"name": "vera", "role": "viewer"}, "There is already an account vera."),
        ({"name": "", "role": "viewer"}, "A name has 1 to 64"),
        ({"name": "a:b", "role": "viewer"}, "A name has 1 to 64"),
        ({"name": "token:ci", "role": "viewer"}, "A name has 1 to 64"),
        ({"name": "nina\x00", "role": "viewer"}, "A name has 1 to 64"),
        ({"name": "nina", "role": "king"}, "Use a role of: viewer, operator, admin."),
        ({"name": "nina", "role": "viewer", "password": "short"}, "at least 10 characters"),
    ],
)
def test_an_account_that_cannot_be_is_refused_with_the_reason(
    database: Connection, adam: Front, form: dict[str, str], sentence: str
) -> None:
    answer = post(adam, "accounts", action="add", **form)

    assert answer.status_code == 422
    assert sentence in answer.text
    assert len(accounts.read_all(database)) == 3


@pytest.mark.parametrize("kind", ["accounts", "tokens"])
@pytest.mark.parametrize("action", ["", "promote", "x\x00y"])
def test_an_unknown_action_changes_nothing(
    console: Flask, database: Connection, adam: Front, kind: str, action: str
) -> None:
    assert post(adam, kind, action=action, name="vera").status_code == 422
    assert [allowed for _, _, allowed in audit_of(console, database)] == [True, False]


@pytest.mark.parametrize("action", ["disable", "enable", "remove", "role", "password"])
def test_a_name_that_no_account_can_have_is_refused(adam: Front, action: str) -> None:
    form = {"name": "vera\x00", "role": "viewer", "password": PASSWORD}

    answer = post(adam, "accounts", action=action, **form)

    assert answer.status_code == 422
    assert "There is no account" in answer.text


@pytest.mark.parametrize("action", ["disable", "remove", "role"])
def test_the_last_admin_stays(database: Connection, adam: Front, action: str) -> None:
    answer = post(adam, "accounts", action=action, name="adam", role="viewer")

    assert answer.status_code == 422
    assert "adam is the only admin" in answer.text
    account = accounts.find(database, "adam")
    assert account is not None
    assert (account.role, account.disabled_at) == (Role.ADMIN, None)


def test_a_disabled_admin_does_not_count_as_one(database: Connection, adam: Front) -> None:
    post(adam, "accounts", action="role", name="vera", role="admin")
    post(adam, "accounts", action="disable", name="vera")

    assert post(adam, "accounts", action="remove", name="adam").status_code == 422


def test_one_of_two_admins_may_go(database: Connection, adam: Front) -> None:
    post(adam, "accounts", action="role", name="vera", role="admin")

    assert post(adam, "accounts", action="remove", name="adam").status_code == 303
    assert [account.name for account in accounts.read_all(database)] == ["olga", "vera"]


def test_changes_of_an_admin_count_at_once_here(console: Flask, adam: Front) -> None:
    olga = signed_in(console, "olga")

    post(adam, "accounts", action="role", name="olga", role="viewer")
    demoted = olga.verdict("POST", "/stop").status_code
    post(adam, "accounts", action="disable", name="olga")

    assert (demoted, olga.verdict("GET", "/").status_code) == (403, 401)


def test_a_new_password_from_an_admin_ends_the_sessions(console: Flask, adam: Front) -> None:
    olga = signed_in(console, "olga")

    password = secret_of(post(adam, "accounts", action="password", name="olga"))

    assert olga.verdict("GET", "/").status_code == 401
    assert Front(console).sign_in("olga").status_code == 401
    assert Front(console).sign_in("olga", password).status_code == 303


def test_an_admin_makes_and_revokes_a_token(
    console: Flask, database: Connection, adam: Front
) -> None:
    answer = post(adam, "tokens", action="create", name="ci", role="operator", days="30")
    token = Front(console, token=secret_of(answer))
    before = token.verdict("POST", "/stop", origin=None).status_code
    [stored] = tokens.read_all(database)

    post(adam, "tokens", action="revoke", id=str(stored.id), name="ci")

    assert (before, token.verdict("GET", "/").status_code) == (204, 401)
    assert stored.created_by == "adam"
    assert stored.expires_at is not None
    assert abs(stored.expires_at - datetime.now(UTC) - timedelta(days=30)) < timedelta(minutes=1)


@pytest.mark.parametrize("days", ["", "0", "-1", "1.5", "x", "\u0663", "99999"])
def test_a_token_lives_a_whole_number_of_days(database: Connection, adam: Front, days: str) -> None:
    answer = post(adam, "tokens", action="create", name="ci", role="operator", days=days)

    assert answer.status_code == 422
    assert tokens.read_all(database) == []


def test_a_token_has_no_account_page(console: Flask, database: Connection) -> None:
    front = Front(console, token=tokens.create(database, "ci", Role.ADMIN, None, "adam"))

    answer = front.ask("POST", "/console/account", data={"action": "sign-out-everywhere"})

    assert answer.status_code == 403


def test_what_admins_do_is_in_the_audit_log_and_on_its_page(
    console: Flask, database: Connection, adam: Front
) -> None:
    post(adam, "accounts", action="add", name="nina", role="viewer", password="what she likes")
    post(adam, "accounts", action="remove", name="adam")
    post(adam, "tokens", action="create", name="ci", role="operator", days="30")

    assert audit_of(console, database) == [
        ("adam", "sign in", True),
        ("adam", "add account", True),
        ("adam", "remove account", False),
        ("adam", "create token", True),
    ]
    page = adam.ask("GET", "/console/admin/audit", headers=PAGE).text
    assert "what she likes" not in page
    assert page.index("create token") < page.index("add account")
    entries = adam.ask("GET", "/api/v1/audit").json["entries"]  # type: ignore[index]
    assert entries[0]["actor"] == "adam"
    assert entries[0]["detail"] == {"token": "ci", "role": "operator"}


def test_a_form_sent_after_the_session_ended_leads_back_to_the_page(adam: Front) -> None:
    answer = adam.ask("GET", "/console/admin/accounts", headers=PAGE)

    assert (answer.status_code, answer.headers["Location"]) == (302, "/console/admin")


@pytest.fixture
def shell(postgres_settings: PostgresSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment in which commands find the database."""
    for name, value in {
        "POSTGRES_HOST": postgres_settings.host,
        "POSTGRES_PORT": str(postgres_settings.port),
        "POSTGRES_DB": postgres_settings.database,
        "POSTGRES_USER": postgres_settings.user,
        "POSTGRES_PASSWORD": postgres_settings.password,
    }.items():
        monkeypatch.setenv(name, value)


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    subparsers = parser.add_subparsers()
    commands.add_user_parser(subparsers)
    commands.add_token_parser(subparsers)
    parsed = parser.parse_args(arguments)
    code: int = parsed.run(parsed)
    return code


@pytest.mark.usefixtures("shell", "people")
class TestCommandLine:
    def test_a_generated_password_is_the_only_output(
        self, database: Connection, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run("user", "add", "nina", "--role", "operator") == 0

        nina = accounts.find(database, "nina")
        assert nina is not None
        assert nina.role is Role.OPERATOR
        assert verify_password(nina.password_hash, capsys.readouterr().out.strip())

    def test_a_password_is_read_from_stdin(
        self,
        database: Connection,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO("from the vault\n"))

        assert run("user", "passwd", "vera", "--password-stdin") == 0

        vera = accounts.find(database, "vera")
        assert vera is not None
        assert verify_password(vera.password_hash, "from the vault")
        assert capsys.readouterr().out == ""

    def test_people_are_listed(self, capsys: pytest.CaptureFixture[str]) -> None:
        run("user", "disable", "vera")

        run("user", "list")

        lines = capsys.readouterr().out.splitlines()
        assert [line.split()[:3] for line in lines] == [
            ["NAME", "ROLE", "STATE"],
            ["adam", "admin", "active"],
            ["olga", "operator", "active"],
            ["vera", "viewer", "disabled"],
        ]

    @pytest.mark.parametrize(
        "arguments", [("role", "adam", "viewer"), ("disable", "adam"), ("remove", "adam")]
    )
    def test_the_last_admin_stays(
        self, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run("user", *arguments) == 3
        assert "adam is the only admin" in capsys.readouterr().err

    @pytest.mark.parametrize("action", ["passwd", "disable", "enable", "remove"])
    def test_an_unknown_name_is_an_error(
        self, action: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run("user", action, "nobody") == 1
        assert "There is no account nobody." in capsys.readouterr().err

    @pytest.mark.parametrize(
        "arguments",
        [
            ("user",),
            ("user", "add"),
            ("user", "add", "nina", "--role", "king"),
            ("token", "create", "--name", "ci", "--expires", "soon"),
            ("token", "revoke", "x"),
        ],
    )
    def test_bad_arguments_end_with_2(self, arguments: tuple[str, ...]) -> None:
        with pytest.raises(SystemExit) as stopped:
            run(*arguments)

        assert stopped.value.code == 2

    def test_a_token_is_the_only_output(
        self, database: Connection, capsys: pytest.CaptureFixture[str]
    ) -> None:
        arguments = ("--name", "ci", "--role", "operator", "--expires", "24h")
        assert run("token", "create", *arguments, "--print-token-only") == 0

        out, err = capsys.readouterr()
        [stored] = tokens.read_all(database)
        assert stored.token_hash == tokens.hash_token(out.strip())
        assert err == ""
        assert stored.expires_at is not None
        assert stored.expires_at - stored.created_at == timedelta(hours=24)

    def test_a_token_is_revoked_once(self, database: Connection) -> None:
        run("token", "create", "--name", "ci")
        [stored] = tokens.read_all(database)

        assert [run("token", "revoke", str(stored.id)) for _ in range(2)] == [0, 1]

    def test_the_command_line_is_in_the_audit_log(self, database: Connection) -> None:
        run("user", "role", "vera", "operator")

        rows = database.execute("SELECT actor, action, detail FROM audit_log").fetchall()
        assert rows == [("(command line)", "role account", {"account": "vera", "role": "operator"})]


class TestMigrate:
    @pytest.fixture
    def environ(self, shell: None, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
        values = {
            "MIGRATIONS_DIR": str(MIGRATIONS),
            "WEB_AUTH": "root:first password: x",
            "READER_PASSWORD": "only to look",
        }
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        return values

    @pytest.mark.usefixtures("environ")
    def test_it_makes_the_first_admin_once(self, database: Connection) -> None:
        codes = [commands.migrate(argparse.Namespace()) for _ in range(2)]

        [account] = accounts.read_all(database)
        assert codes == [0, 0]
        assert (account.name, account.role) == ("root", Role.ADMIN)
        assert verify_password(account.password_hash, "first password: x")

    @pytest.mark.usefixtures("environ", "people")
    def test_it_adds_nobody_where_somebody_is(self, database: Connection) -> None:
        commands.migrate(argparse.Namespace())

        assert accounts.find(database, "root") is None

    @pytest.mark.parametrize("web_auth", ["", "admin", ":x", "admin:", "a b:x", "\u00e4:x"])
    def test_a_first_admin_that_cannot_be_names_the_setting(
        self, database: Connection, web_auth: str
    ) -> None:
        with pytest.raises(SettingsError, match="LOCUST_WEB_AUTH is not user:password"):
            accounts.ensure_first_admin(database, web_auth)


def test_two_admins_cannot_remove_each_other_at_once(
    postgres_settings: PostgresSettings, people: None, database: Connection
) -> None:
    accounts.set_role(database, "olga", Role.ADMIN)
    with database.transaction():
        accounts.remove(database, "adam")
        # Somebody else, in the same moment.
        waiting = postgres.connect(postgres_settings)
        waiting.execute("SET lock_timeout = '100ms'")
        with pytest.raises(Exception, match="lock timeout"):
            accounts.remove(waiting, "olga")

    with pytest.raises(accounts.LastAdmin):
        accounts.remove(waiting, "olga")
    waiting.close()


def test_passwords_are_not_stored(database: Connection, people: None) -> None:
    rows = database.execute("SELECT accounts::text FROM accounts").fetchall()

    assert PASSWORD not in str(rows)
