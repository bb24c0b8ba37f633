"""The admin's pages: accounts, tokens, audit log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from flask import Blueprint, Response, make_response, render_template, request

from locust_fleet.console.access import accounts, tokens
from locust_fleet.console.access.accounts import AccountError
from locust_fleet.console.access.audit import read_last
from locust_fleet.console.access.passwords import generate_password, problem
from locust_fleet.console.routes import common
from locust_fleet.console.routes.common import services

AUDIT_ENTRIES_SHOWN = 200
# What the page says after a change. A generated password or token is shown at once instead.
DONE = {
    "role": "The role is changed.",
    "disable": "The account is disabled and signed out.",
    "enable": "The account is enabled.",
    "remove": "The account is removed.",
    "revoke": "The token is revoked.",
}

routes = Blueprint("admin", __name__, url_prefix="/console/admin")


@dataclass(frozen=True)
class ShownOnce:
    """A password or token that is shown once: what it is, and its text."""

    title: str
    text: str


Act = Callable[[str, str], ShownOnce | None]


@routes.get("")
def show() -> Response:
    """Show accounts and tokens."""
    return _page()


@routes.get("/accounts")
@routes.get("/tokens")
def back() -> Response:
    """Redirect a browser that arrives after a new sign-in, with a form that was not accepted."""
    return common.go("/console/admin", 302)


@routes.post("/accounts")
def change_account() -> Response:
    """Add or change an account."""
    return _change("account", act_on_account)


@routes.post("/tokens")
def change_token() -> Response:
    """Create or revoke a token."""
    return _change("token", act_on_token)


@routes.get("/audit")
def audit() -> Response:
    """Show the last entries of the audit log."""
    services().audit.flush()
    with services().database.connection() as connection:
        entries = read_last(connection, AUDIT_ENTRIES_SHOWN)
    page = render_template("audit.html", entries=entries, shown=AUDIT_ENTRIES_SHOWN)
    return make_response(page)


def _page(status: int = 200, mistake: str = "", secret: ShownOnce | None = None) -> Response:
    with services().database.connection() as connection:
        known_accounts, known_tokens = accounts.read_all(connection), tokens.read_all(connection)
    page = render_template(
        "admin.html",
        accounts=known_accounts,
        tokens=known_tokens,
        now=datetime.now(UTC),
        mistake=mistake,
        secret=secret,
        done=DONE.get(request.args.get("done", "")),
    )
    return make_response(page, status)


def _change(kind: str, act: Act) -> Response:
    action, name = request.form.get("action", ""), request.form.get("name", "").strip()
    verb = f"{action} {kind}"
    detail = {kind: name or request.form.get("id", "")}
    if request.form.get("role"):
        detail["role"] = request.form["role"]
    note, who, where = services().audit.note, common.me().name, common.address()
    try:
        secret = act(action, name)
    except AccountError as error:
        note(who, where, verb, {**detail, "reason": str(error)}, allowed=False)
        return _page(422, mistake=str(error))
    note(who, where, verb, detail, allowed=True)
    services().directory.refresh()
    return _page(secret=secret) if secret else common.go(f"/console/admin?done={action}")


def act_on_account(action: str, name: str) -> ShownOnce | None:
    """Do what a form asks for; returns a generated password. Raises AccountError."""
    if action != "add" and not accounts.NAME.fullmatch(name):
        raise AccountError("There is no account of this name.")
    if action in ("add", "password"):
        return set_password(action, name)
    with services().database.connection() as connection:
        match action:
            case "role":
                role = accounts.parse_role(request.form.get("role", ""))
                accounts.set_role(connection, name, role)
            case "disable":
                accounts.disable(connection, name)
            case "enable":
                accounts.enable(connection, name)
            case "remove":
                accounts.remove(connection, name)
            case _:
                raise AccountError("An account has no such action.")
    return None


def set_password(action: str, name: str) -> ShownOnce:
    """Add an account or replace its password; an empty field means a generated password."""
    given = request.form.get("password", "")
    wrong = problem(given, name) if given else None
    if wrong:
        raise AccountError(wrong)
    password = given or generate_password()
    password_hash = services().passwords.hash(password)
    with services().database.connection() as connection:
        if action == "add":
            role = accounts.parse_role(request.form.get("role", ""))
            accounts.add(connection, name, password_hash, role)
        else:
            accounts.set_password(connection, name, password_hash)
    return ShownOnce(f"Password of {name}", password)


def act_on_token(action: str, name: str) -> ShownOnce | None:
    """Do what a form asks for; returns a new token. Raises AccountError."""
    with services().database.connection() as connection:
        match action:
            case "create":
                role = accounts.parse_role(request.form.get("role", ""))
                life = timedelta(days=whole("days", "The number of days is not a whole number."))
                token = tokens.create(connection, name, role, life, common.me().name)
                return ShownOnce(f"Token {name}", token)
            case "revoke":
                tokens.revoke(connection, whole("id", "There is no such token."))
            case _:
                raise AccountError("A token has no such action.")
    return None


def whole(field: str, mistake: str) -> int:
    """Return a field of the form as a whole number; raises AccountError with ``mistake``."""
    text = request.form.get(field, "")
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise AccountError(mistake)
    return int(text)
