"""Put the console together: routes, the guard before them, and the work in the background."""

from __future__ import annotations

import hashlib
import hmac
import logging
import threading
from collections.abc import Callable
from pathlib import Path

from flask import Flask, Response, g, request, url_for
from werkzeug.exceptions import HTTPException

from locust_fleet.console import formatting
from locust_fleet.console.access.roles import ANYONE, rule_for
from locust_fleet.console.routes import (
    admin,
    alerts,
    api,
    auth,
    common,
    health,
    metrics,
    notifications,
    runs,
)
from locust_fleet.console.runs.master_client import MasterUnavailable
from locust_fleet.console.services import Services, Stores
from locust_fleet.errors import StoreUnavailable
from locust_fleet.runtime.json_body import LARGEST_BODY
from locust_fleet.runtime.loops import vital
from locust_fleet.settings.console import ConsoleSettings

__all__ = ["Stores", "build", "start"]

# A year: the address of a static file changes with its content.
STATIC_AGE_S = 365 * 86400
# Asked over the stack's own network; /alerts wants a token of its own.
OPEN_PATHS = ("/health", "/ready", metrics.PATH, alerts.PATH)
# How long the end of a process waits for the audit log to be written.
FAREWELL_S = 5.0

logger = logging.getLogger(__name__)


def build(settings: ConsoleSettings, stores: Stores) -> Flask:
    """Build the console; nothing is connected, and nothing runs before ``start``."""
    app = Flask("locust_fleet.console", static_url_path="/console/static")
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = STATIC_AGE_S
    parts = Services.of(settings, stores)
    app.extensions["fleet"] = parts
    _guard(app, parts.front_secret)
    for module in (metrics, health, alerts, auth, runs, api, admin, notifications):
        app.register_blueprint(module.blueprint(parts))
    app.register_blueprint(api.stop_button(parts))
    _answer_errors(app)
    _prepare_templates(app, settings)
    return app


def start(app: Flask) -> Callable[[], None]:
    """Start what runs in the background of a process; returns what ends it in order.

    Under gevent these are greenlets, and they would not survive a fork: start them after it.
    """
    parts: Services = app.extensions["fleet"]
    closing = threading.Event()
    threads = [
        threading.Thread(
            target=vital(name, work, closing.is_set), args=(closing,), daemon=True, name=name
        )
        for name, work in (
            ("directory", parts.directory.keep_fresh),
            ("leader", parts.leader.keep_fresh),
            ("audit", parts.audit.keep_writing),
        )
    ]
    for thread in threads:
        thread.start()

    def end() -> None:
        closing.set()
        for thread in threads:
            thread.join(FAREWELL_S)
        parts.directory.close()
        parts.audit.close()

    return end


def _guard(app: Flask, front_secret: str) -> None:
    """Let only the front in; check roles once more, should it ever ask less than it should."""
    secret = front_secret.encode()

    @app.before_request
    def let_in() -> Response | None:
        given = request.headers.get("X-Fleet-Front", "").encode()
        g.identity = None
        if request.path in OPEN_PATHS:
            return None
        if not hmac.compare_digest(given, secret):
            return common.error(403, "Requests come through the front (nginx) only.")
        # Nobody reaches /auth and /refused from outside, so they have no rule.
        g.identity = common.read_identity()
        rule = rule_for(request.method, request.path)
        if rule is None or rule.role is ANYONE:
            return None
        if g.identity and g.identity.role.covers(rule.role):
            return None
        return common.error(403, f"This needs the role {rule.role.value}.")

    @app.after_request
    def keep_private(response: Response) -> Response:
        if not request.path.startswith("/console/static/"):
            response.headers["Cache-Control"] = "no-store"
        return response


def _answer_errors(app: Flask) -> None:
    @app.errorhandler(StoreUnavailable)
    def store_away(error: StoreUnavailable) -> Response:
        logger.warning("%s %s: %s", request.method, request.path, error)
        return common.error(
            503,
            "The results database does not answer. A running test goes on; try again in a moment.",
            "store_unavailable",
        )

    @app.errorhandler(MasterUnavailable)
    def master_away(error: MasterUnavailable) -> Response:
        logger.warning("%s %s: %s", request.method, request.path, error)
        return common.error(503, str(error), "master_unavailable")

    @app.errorhandler(HTTPException)
    def plain(error: HTTPException) -> Response:
        status = error.code or 500
        response = common.error(status, SENTENCES.get(status, str(error.description)))
        for name, value in error.get_headers():
            # Such as Allow of a 405; the page that this replaces has its own type and length.
            if name not in ("Content-Type", "Content-Length"):
                response.headers[name] = value
        return response


SENTENCES = {
    404: "There is nothing at this address.",
    413: "This is more than a form of ours holds.",
    500: "Something went wrong here; the console's log says what.",
}


def _prepare_templates(app: Flask, settings: ConsoleSettings) -> None:
    folder = Path(app.static_folder or "")
    versions = {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest()[:12] for file in folder.iterdir()
    }

    def static(name: str) -> str:
        return url_for("static", filename=name, v=versions[name])

    app.jinja_env.filters.update(formatting.FILTERS)
    app.jinja_env.globals.update(
        static=static,
        share=formatting.share,
        prometheus=settings.prometheus,
        grafana=settings.prometheus and settings.grafana,
    )
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True

    @app.context_processor
    def identity() -> dict[str, object]:
        return {"me": g.get("identity")}
