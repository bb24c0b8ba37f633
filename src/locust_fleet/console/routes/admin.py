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
from locust_fleet.console.services import Services

AUDIT_SHOWN = 200
# What a change says on the page that follows it; secrets are shown at once instead.
DONE = {
    "role": "The role is changed.",
    "disable": "The account is disabled and signed out.",
    "enable": "The account is enabled.",
    "remove": "The account is removed.",
    "revoke": "The token is revoked.",
}


@dataclass(frozen=True)
class Secret:
    """Something that is shown once: what it is, and its text."""

    title: str
    text: str


Act = Callable[[Services, str, str], Secret | None]


def blueprint(parts: Services) -> Blueprint:
    """Return the routes."""
    routes = Blueprint("admin", __name__, url_prefix="/console/admin")

    def page(status: int = 200, mistake: str = "", secret: Secret | None = None) -> Response:
        with parts.database.connection() as connection:
            return make_response(
                render_template(
                    "admin.html",
                    accounts=accounts.read_all(connection),
                    tokens=tokens.read_all(connection),
                    now=datetime.now(UTC),
                    mistake=mistake,
                    secret=secret,
                    done=DONE.get(request.args.get("done", "")),
                ),
                status,
            )

    @routes.get("")
    def show() -> Response:
        return page()

    @routes.get("/accounts")
    @routes.get("/tokens")
    def back() -> Response:
        # Somebody signed in again after a form that was sent too late.
        return common.go("/console/admin", 302)

    @routes.post("/accounts")
    def change_account() -> Response:
        return change("account", act_on_account)

    @routes.post("/tokens")
    def change_token() -> Response:
        return change("token", act_on_token)

    def change(kind: str, act: Act) -> Response:
        action, name = request.form.get("action", ""), request.form.get("name", "").strip()
        verb = f"{action} {kind}"
        detail = {kind: name or request.form.get("id", "")}
        if request.form.get("role"):
            detail["role"] = request.form["role"]
        try:
            secret = act(parts, action, name)
        except AccountError as error:
            detail["reason"] = str(error)
            parts.audit.note(common.me().name, common.address(), verb, detail, allowed=False)
            return page(422, mistake=str(error))
        parts.audit.note(common.me().name, common.address(), verb, detail, allowed=True)
        parts.directory.refresh()
        return page(secret=secret) if secret else common.go(f"/console/admin?done={action}")

    @routes.get("/audit")
    def audit() -> Response:
        parts.audit.flush()
        with parts.database.connection() as connection:
            entries = read_last(connection, AUDIT_SHOWN)
        return make_response(render_template("audit.html", entries=entries, shown=AUDIT_SHOWN))

    return routes


def act_on_account(parts: Services, action: str, name: str) -> Secret | None:
    """Do what a form asks for; returns a generated password. Raises AccountError."""
    if action != "add" and not accounts.NAME.fullmatch(name):
        raise AccountError("There is no account of this name.")
    if action in ("add", "password"):
        return set_password(parts, action, name)
    with parts.database.connection() as connection:
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
                raise AccountError("There is no such action on an account.")
    return None


def set_password(parts: Services, action: str, name: str) -> Secret:
    """Add an account or replace a password, given or generated."""
    given = request.form.get("password", "")
    wrong = problem(given, name) if given else None
    if wrong:
        raise AccountError(wrong)
    password = given or generate_password()
    password_hash = parts.passwords.hash(password)
    with parts.database.connection() as connection:
        if action == "add":
            role = accounts.parse_role(request.form.get("role", ""))
            accounts.add(connection, name, password_hash, role)
        else:
            accounts.set_password(connection, name, password_hash)
    return Secret(f"Password of {name}", password)


def act_on_token(parts: Services, action: str, name: str) -> Secret | None:
    """Do what a form asks for; returns a new token. Raises AccountError."""
    with parts.database.connection() as connection:
        match action:
            case "create":
                role = accounts.parse_role(request.form.get("role", ""))
                life = timedelta(days=whole("days", "The days are not a whole number."))
                token = tokens.create(connection, name, role, life, common.me().name)
                return Secret(f"Token {name}", token)
            case "revoke":
                tokens.revoke(connection, whole("id", "There is no such token."))
            case _:
                raise AccountError("There is no such action on a token.")
    return None


def whole(field: str, mistake: str) -> int:
    """Return a form's field that is a whole number; AccountError when it is not."""
    text = request.form.get(field, "")
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise AccountError(mistake)
    return int(text)
