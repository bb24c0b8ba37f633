"""Sign people in and out; the page where they change their own password."""

from __future__ import annotations

import logging

from flask import Blueprint, Response, g, make_response, render_template, request

from locust_fleet.console.access import accounts
from locust_fleet.console.access.accounts import Account
from locust_fleet.console.access.identity_cache import mark_of
from locust_fleet.console.access.passwords import problem
from locust_fleet.console.access.sessions import LoginSession, delete_cookie
from locust_fleet.console.routes import common
from locust_fleet.console.routes.common import services
from locust_fleet.errors import StoreUnavailable

WRONG = "Name or password is wrong."
NO_STORE = "Signing in needs the database, which does not answer. Try again in a moment."

routes = Blueprint("sign_in", __name__, url_prefix="/console")

logger = logging.getLogger(__name__)


@routes.get("/sign-in")
def sign_in_page() -> Response:
    """Show the form; redirect somebody who is signed in already."""
    after = common.next_path(request.args.get("next", ""))
    return common.go(after) if g.identity else sign_in_form(after)


@routes.post("/sign-in")
def sign_in() -> Response:
    """Check name and password, and set the session cookie; 401, 429 or 503 with the form."""
    name, password = request.form.get("name", "").strip(), request.form.get("password", "")
    after = common.next_path(request.form.get("next", ""))
    try:
        account = find_account(name)
    except StoreUnavailable as error:
        logger.warning("nobody can sign in: %s", error)
        return sign_in_form(after, name, NO_STORE, 503)
    wait_s = services().login_throttle.attempt(name, common.address())
    if wait_s:
        return sign_in_form(after, name, too_many(wait_s), 429, wait_s)
    mistake = check(account, password)
    note_sign_in(account, mistake)
    if account is None or mistake:
        return sign_in_form(after, name, mistake or WRONG, 401)
    services().login_throttle.succeeded(name, common.address())
    response = common.go(after)
    services().sessions.set_cookie(response, session_of(account))
    return response


@routes.post("/sign-out")
def sign_out() -> Response:
    """End the session of this browser."""
    response = common.go("/console/sign-in")
    delete_cookie(response)
    return response


@routes.get("/account")
def account_page() -> Response:
    """Show the account of whoever is signed in."""
    return account_form()


@routes.post("/account")
def change_account() -> Response:
    """Change one's own password, or sign out everywhere."""
    if common.me().is_token:
        return common.error(403, "A token has no password and no sessions.")
    if request.form.get("action") == "sign-out-everywhere":
        return sign_out_everywhere()
    return change_password()


def change_password() -> Response:
    """Change one's own password; all sessions end except this one, which gets a new cookie."""
    form, name = request.form, common.me().name
    new = form.get("new", "")
    mistake = problem(new, name)
    if new != form.get("again", ""):
        mistake = "The new password was not repeated exactly."
    if mistake:
        return account_form(mistake, 422)
    wait_s = services().login_throttle.attempt(name, common.address())
    if wait_s:
        return account_form(too_many(wait_s), 429)
    account = find_account(name)
    if account is None or check(account, form.get("password", "")):
        services().audit.note(name, common.address(), "change own password", {}, allowed=False)
        return account_form("Your present password is wrong.", 422)
    services().login_throttle.succeeded(name, common.address())
    password_hash = services().passwords.hash(new)
    with services().database.connection() as connection:
        mark = accounts.set_password(connection, name, password_hash)
    services().audit.note(name, common.address(), "change own password", {}, allowed=True)
    services().directory.refresh()
    response = account_form(done="Your password is changed; other sessions have ended.")
    services().sessions.set_cookie(response, LoginSession(name, account.role, mark_of(mark)))
    return response


def sign_out_everywhere() -> Response:
    """End all sessions of the account that asks."""
    name = common.me().name
    with services().database.connection() as connection:
        accounts.end_sessions(connection, name)
    services().audit.note(name, common.address(), "sign out everywhere", {}, allowed=True)
    services().directory.refresh()
    response = common.go("/console/sign-in")
    delete_cookie(response)
    return response


def find_account(name: str) -> Account | None:
    """Return an account, None when there is none of this name; raises StoreUnavailable."""
    if not accounts.NAME.fullmatch(name):
        return None
    with services().database.connection() as connection:
        return accounts.find(connection, name)


def check(account: Account | None, password: str) -> str | None:
    """Return why somebody may not sign in, None when they may.

    An unknown name takes as long as a wrong password, so the time does not tell which names exist.
    """
    if not services().passwords.verify(account.password_hash if account else None, password):
        return WRONG
    if account and account.disabled_at:
        return "This account is disabled; an admin can enable it."
    return None


def note_sign_in(account: Account | None, mistake: str | None) -> None:
    """Note a sign-in in the audit log, without unknown names: some are mistyped passwords."""
    actor = account.name if account else "(unknown name)"
    detail = {"reason": mistake} if mistake else {}
    services().audit.note(actor, common.address(), "sign in", detail, allowed=mistake is None)


def session_of(account: Account) -> LoginSession:
    """Return the session that a correct password opens."""
    return LoginSession(account.name, account.role, mark_of(account.valid_from))


def sign_in_form(
    after: str, name: str = "", mistake: str = "", status: int = 200, wait_s: float = 0
) -> Response:
    """Return the sign-in page; ``after`` is where a successful sign-in leads."""
    page = render_template("sign_in.html", after=after, name=name, mistake=mistake)
    response = make_response(page, status)
    if wait_s:
        response.headers["Retry-After"] = str(int(wait_s) + 1)
    return response


def account_form(mistake: str = "", status: int = 200, done: str = "") -> Response:
    """Return the account page."""
    return make_response(render_template("account.html", mistake=mistake, done=done), status)


def too_many(wait_s: float) -> str:
    """Return the sentence that says how long to wait."""
    seconds = int(wait_s) + 1
    return f"Too many failed sign-ins; try again in {seconds} second{'s' if seconds > 1 else ''}."
