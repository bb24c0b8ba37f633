"""Answer nginx, which asks about every request who makes it and whether it may pass."""

from __future__ import annotations

from urllib.parse import quote

from flask import Blueprint, Response, request

from locust_fleet.console.access.identity_cache import (
    NOT_SIGNED_IN,
    TOKEN_UNKNOWN,
    Identity,
    Stranger,
)
from locust_fleet.console.access.roles import Decision, Question, decide, plain_path
from locust_fleet.console.access.sessions import COOKIE
from locust_fleet.console.routes import common
from locust_fleet.console.routes.common import services

# What the audit log calls requests to Locust, the API and Alertmanager. The console's own forms
# are noted where they are handled, with more detail.
VERBS = {
    "/swarm": "start or change a run",
    "/stop": "stop the run",
    "/stats/reset": "reset the statistics",
    "/user": "change a user setting",
    "/api/v1/runs": "start a run",
    "/alertmanager/api/v2/silences": "silence alerts",
}
LONGEST_NOTED_PATH = 200

routes = Blueprint("auth", __name__)


@routes.get("/auth")
def auth() -> Response:
    """Answer 204 if a request may pass, else 401 or 403; headers say who makes it and who leads."""
    who = identify(request.cookies.get(COOKIE), request.headers.get("Authorization"))
    question = read_question(who)
    decision = decide(question)
    note_write(who, question, decision)
    if decision.status == 401 and isinstance(who, Stranger):
        decision = Decision(401, who.reason)
    return answer(decision, who, services().leader.host)


@routes.route("/refused", methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def refused() -> Response:
    """Answer a client whose request may not pass, in the form that it can read."""
    status = 403 if request.headers.get("X-Fleet-Refusal-Status") == "403" else 401
    sentence = request.headers.get("X-Fleet-Refusal") or "This is not allowed."
    reading = request.headers.get("X-Original-Method", "GET") in ("GET", "HEAD")
    if status == 401 and common.wants_page() and reading:
        after = common.next_path(request.headers.get("X-Original-URI", ""))
        return common.go(f"/console/sign-in?next={quote(after, safe='/')}", 302)
    response = common.error(status, sentence)
    if status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def identify(cookie: str | None, authorization: str | None) -> Identity | Stranger:
    """Return who makes a request; a token counts before a cookie, which browsers always send."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() == "bearer":
        return services().directory.by_token(token.strip()) if token else TOKEN_UNKNOWN
    if cookie:
        return services().directory.by_session(services().sessions.read(cookie))
    return NOT_SIGNED_IN


def read_question(who: Identity | Stranger) -> Question:
    """Return the request that nginx asks about, from the headers that nginx sets."""
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
    """Return the answer to nginx: the status, and in headers the identity, refusal and leader."""
    response = Response(status=decision.status)
    if isinstance(who, Identity):
        response.headers["X-Fleet-User"] = who.name
        response.headers["X-Fleet-Role"] = who.role.value
    if not decision.allow:
        response.headers["X-Fleet-Refusal"] = decision.sentence
    elif leader:
        response.headers["X-Fleet-Leader"] = leader
    return response


def note_write(who: Identity | Stranger, question: Question, decision: Decision) -> None:
    """Note in the audit log what somebody changes in the load test, or is refused to change.

    Requests of strangers are left out: they could fill the log, and nginx logs them.
    """
    if not question.writes or isinstance(who, Stranger):
        return
    path = plain_path(question.uri) or question.uri
    verb = VERBS.get(path)
    if verb is None and path.startswith("/api/v1/runs/"):
        verb = "stop a run"
    if verb is None and decision.allow:
        return
    detail = {"method": question.method, "path": path[:LONGEST_NOTED_PATH]}
    if not decision.allow:
        detail["reason"] = decision.sentence
    services().audit.note(
        who.name,
        common.address(),
        verb or "ask for what is not allowed",
        detail,
        allowed=decision.allow,
    )
