"""Answer the front's question about every request; sign people in and out."""

from __future__ import annotations

import logging
from urllib.parse import quote

from flask import Blueprint, Response, g, make_response, render_template, request

from locust_fleet.console.access import accounts
from locust_fleet.console.access.accounts import Account
from locust_fleet.console.access.directory import (
    NOT_SIGNED_IN,
    TOKEN_UNKNOWN,
    Identity,
    Stranger,
    mark_of,
)
from locust_fleet.console.access.passwords import problem
from locust_fleet.console.access.roles import Decision, Question, decide, plain_path
from locust_fleet.console.access.sessions import COOKIE, LoginSession, take
from locust_fleet.console.routes import common
from locust_fleet.console.services import Services
from locust_fleet.errors import StoreUnavailable

# What these do is in the audit log; the console itself notes its own forms with more detail.
VERBS = {
    "/swarm": "start or change a run",
    "/stop": "stop the run",
    "/stats/reset": "reset the statistics",
    "/user": "change a user setting",
    "/api/v1/runs": "start a run",
    "/alertmanager/api/v2/silences": "silence alerts",
}
WRONG = "Name or password is wrong."
NO_STORE = "Signing in needs the database, which does not answer. Try again in a moment."

logger = logging.getLogger(__name__)


def blueprint(parts: Services) -> Blueprint:
    """Return the routes."""
    routes = Blueprint("auth", __name__)

    @routes.get("/auth")
    def auth() -> Response:
        who = identify(parts, request.cookies.get(COOKIE), request.headers.get("Authorization"))
        question = read_question(who)
        decision = decide(question)
        note_write(parts, who, question, decision)
        if decision.status == 401 and isinstance(who, Stranger):
            decision = Decision(401, who.reason)
        return answer(decision, who, parts.leader.host)

    @routes.route("/refused", methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
    def refused() -> Response:
        status = 403 if request.headers.get("X-Fleet-Refusal-Status") == "403" else 401
        sentence = request.headers.get("X-Fleet-Refusal") or "This is not allowed."
        looking = request.headers.get("X-Original-Method", "GET") in ("GET", "HEAD")
        if status == 401 and common.wants_page() and looking:
            after = common.next_path(request.headers.get("X-Original-URI", ""))
            return common.go(f"/console/sign-in?next={quote(after, safe='/')}", 302)
        response = common.error(status, sentence)
        if status == 401:
            response.headers["WWW-Authenticate"] = "Bearer"
        return response

    @routes.get("/console/sign-in")
    def sign_in_page() -> Response:
        after = common.next_path(request.args.get("next", ""))
        return common.go(after) if g.identity else sign_in_form(after)

    @routes.post("/console/sign-in")
    def sign_in() -> Response:
        name, password = request.form.get("name", "").strip(), request.form.get("password", "")
        after = common.next_path(request.form.get("next", ""))
        try:
            account = find_account(parts, name)
        except StoreUnavailable as error:
            logger.warning("nobody can sign in: %s", error)
            return sign_in_form(after, name, NO_STORE, 503)
        wait_s = parts.slowdown.attempt(name, common.address())
        if wait_s:
            return sign_in_form(after, name, too_many(wait_s), 429, wait_s)
        mistake = check(parts, account, password)
        note_sign_in(parts, account, mistake)
        if account is None or mistake:
            return sign_in_form(after, name, mistake or WRONG, 401)
        parts.slowdown.succeeded(name, common.address())
        response = common.go(after)
        parts.sessions.give(response, session_of(account))
        return response

    @routes.post("/console/sign-out")
    def sign_out() -> Response:
        response = common.go("/console/sign-in")
        take(response)
        return response

    @routes.get("/console/account")
    def account_page() -> Response:
        return account_form()

    @routes.post("/console/account")
    def change_account() -> Response:
        if common.me().is_token:
            return common.error(403, "A token has no password and no sessions.")
        if request.form.get("action") == "sign-out-everywhere":
            return sign_out_everywhere(parts)
        return change_password(parts)

    return routes


def identify(parts: Services, cookie: str | None, authorization: str | None) -> Identity | Stranger:
    """Say who asks. A token counts before a cookie: whoever sends one means it."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() == "bearer":
        return parts.directory.by_token(token.strip()) if token else TOKEN_UNKNOWN
    if cookie:
        return parts.directory.by_session(parts.sessions.read(cookie))
    return NOT_SIGNED_IN


def read_question(who: Identity | Stranger) -> Question:
    """Read what the front asks about."""
    headers = request.headers
    return Question(
        method=headers.get("X-Original-Method", ""),
        uri=headers.get("X-Original-URI", ""),
        host=headers.get("X-Original-Host", ""),
        origin=headers.get("Origin"),
        fetch_site=headers.get("Sec-Fetch-Site"),
        role=who.role if isinstance(who, Identity) else None,
        has_cookie=COOKIE in request.cookies,
        by_token=isinstance(who, Identity) and who.is_token,
    )


def answer(decision: Decision, who: Identity | Stranger, leader: str | None) -> Response:
    """Return what the front understands."""
    response = Response(status=decision.status)
    if isinstance(who, Identity):
        response.headers["X-Fleet-User"] = who.name
        response.headers["X-Fleet-Role"] = who.role.value
    if not decision.allow:
        response.headers["X-Fleet-Refusal"] = decision.sentence
    elif leader:
        response.headers["X-Fleet-Leader"] = leader
    return response


def note_write(
    parts: Services, who: Identity | Stranger, question: Question, decision: Decision
) -> None:
    """Put what somebody does with the load test, or may not do, into the audit log.

    Not what strangers try: they could fill it, and nginx logs them.
    """
    if not question.writes or isinstance(who, Stranger):
        return
    path = plain_path(question.uri) or question.uri
    verb = VERBS.get(path)
    if verb is None and path.startswith("/api/v1/runs/"):
        verb = "stop a run"
    if verb is None and decision.allow:
        return
    detail = {"method": question.method, "path": path[:200]}
    if not decision.allow:
        detail["reason"] = decision.sentence
    parts.audit.note(
        who.name,
        common.address(),
        verb or "ask for what is not allowed",
        detail,
        allowed=decision.allow,
    )


def find_account(parts: Services, name: str) -> Account | None:
    """Look an account up; raises StoreUnavailable."""
    if not accounts.NAME.fullmatch(name):
        return None
    with parts.database.connection() as connection:
        return accounts.find(connection, name)


def check(parts: Services, account: Account | None, password: str) -> str | None:
    """Return why somebody may not sign in; an unknown name takes as long as a wrong password."""
    if not parts.passwords.verify(account.password_hash if account else None, password):
        return WRONG
    if account and account.disabled_at:
        return "This account is disabled; an admin can enable it."
    return None


def note_sign_in(parts: Services, account: Account | None, mistake: str | None) -> None:
    """Put a sign-in into the audit log. Unknown names stay out: some are mistyped passwords."""
    actor = account.name if account else "(unknown name)"
    detail = {"reason": mistake} if mistake else {}
    parts.audit.note(actor, common.address(), "sign in", detail, allowed=mistake is None)


def session_of(account: Account) -> LoginSession:
    """Return the session that a right password opens."""
    return LoginSession(account.name, account.role, mark_of(account.valid_from))


def sign_in_form(
    after: str, name: str = "", mistake: str = "", status: int = 200, wait_s: float = 0
) -> Response:
    """Return the sign-in page."""
    page = render_template("sign_in.html", after=after, name=name, mistake=mistake)
    response = make_response(page, status)
    if wait_s:
        response.headers["Retry-After"] = str(int(wait_s) + 1)
    return response


def account_form(mistake: str = "", status: int = 200, done: str = "") -> Response:
    """Return the account page."""
    return make_response(render_template("account.html", mistake=mistake, done=done), status)


def change_password(parts: Services) -> Response:
    """Change one's own password: all sessions end but this one, which is opened anew."""
    form, name = request.form, common.me().name
    new = form.get("new", "")
    mistake = problem(new, name)
    if new != form.get("again", ""):
        mistake = "The new password was not repeated exactly."
    if mistake:
        return account_form(mistake, 422)
    wait_s = parts.slowdown.attempt(name, common.address())
    if wait_s:
        return account_form(too_many(wait_s), 429)
    account = find_account(parts, name)
    if account is None or check(parts, account, form.get("password", "")):
        parts.audit.note(name, common.address(), "change own password", {}, allowed=False)
        return account_form("Your present password is wrong.", 422)
    parts.slowdown.succeeded(name, common.address())
    password_hash = parts.passwords.hash(new)
    with parts.database.connection() as connection:
        mark = accounts.set_password(connection, name, password_hash)
    parts.audit.note(name, common.address(), "change own password", {}, allowed=True)
    parts.directory.refresh()
    response = account_form(done="Your password is changed; other sessions have ended.")
    parts.sessions.give(response, LoginSession(name, account.role, mark_of(mark)))
    return response


def sign_out_everywhere(parts: Services) -> Response:
    """End all sessions of whoever asks."""
    name = common.me().name
    with parts.database.connection() as connection:
        accounts.end_sessions(connection, name)
    parts.audit.note(name, common.address(), "sign out everywhere", {}, allowed=True)
    parts.directory.refresh()
    response = common.go("/console/sign-in")
    take(response)
    return response


def too_many(wait_s: float) -> str:
    """Say how long to wait."""
    seconds = int(wait_s) + 1
    return f"Too many failed sign-ins; try again in {seconds} second{'s' if seconds > 1 else ''}."
