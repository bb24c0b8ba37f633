"""What the routes read from a request, and the answers that all of them give."""

from __future__ import annotations

from flask import (
    Response,
    current_app,
    g,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
)

from locust_fleet.console.access.identity_cache import Identity
from locust_fleet.console.access.roles import Role, plain_path, rule_for
from locust_fleet.console.services import Services
from locust_fleet.runtime.json_body import read_json

START_PAGE = "/"
LONGEST_QUERY = 1000


def services() -> Services:
    """Return what the routes of the present application work with."""
    found = current_app.extensions["fleet"]
    assert isinstance(found, Services)
    return found


def read_identity() -> Identity | None:
    """Return who makes the request, as nginx says; nginx overwrites what a client sends."""
    name, role = request.headers.get("X-Fleet-User"), request.headers.get("X-Fleet-Role")
    return Identity(name, Role(role)) if name and role in {role.value for role in Role} else None


def me() -> Identity:
    """Return who makes the request; only for routes that need a role."""
    identity = g.identity
    assert isinstance(identity, Identity)
    return identity


def address() -> str:
    """Return the IP address of the client."""
    return request.headers.get("X-Real-IP", request.remote_addr or "")


def json_body() -> object:
    """Return the JSON of a request, None for another content type; raises BadInput."""
    return read_json(request.get_data()) if request.is_json else None


def wants_page() -> bool:
    """Tell whether the client is a browser that shows the answer to a person."""
    return "text/html" in request.headers.get("Accept", "")


def next_path(text: str) -> str:
    """Return where to go after the sign-in: a page of this stack, never another site."""
    path, _, query = text.partition("?")
    plain = plain_path(path)
    if plain is None or rule_for("GET", plain) is None or plain == "/console/sign-in":
        return START_PAGE
    if query and len(query) <= LONGEST_QUERY and query.isascii() and query.isprintable():
        return f"{plain}?{query}"
    return plain


def go(path: str, status: int = 303) -> Response:
    """Redirect the browser; 303 after a form."""
    return make_response(redirect(path, status))


def error(status: int, sentence: str, code: str | None = None) -> Response:
    """Return an error as a page for a browser, else as JSON."""
    if wants_page():
        return make_response(
            render_template("error.html", status=status, sentence=sentence), status
        )
    body = {"error": sentence} if code is None else {"error": sentence, "code": code}
    return make_response(jsonify(body), status)
