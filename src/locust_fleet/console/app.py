"""Put the console together: the routes, the checks before them, and the background threads."""

from __future__ import annotations

import hashlib
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
    sign_in,
)
from locust_fleet.console.runs.master_client import MasterUnavailable
from locust_fleet.console.services import Services, Stores
from locust_fleet.errors import StoreUnavailable
from locust_fleet.runtime.front_secret import SECRET_HEADER, matches_secret
from locust_fleet.runtime.json_body import LARGEST_BODY
from locust_fleet.runtime.supervision import vital
from locust_fleet.settings.console import ConsoleSettings

__all__ = ["Stores", "build", "start"]

# A year: the address of a static file changes with its content.
STATIC_AGE_S = 365 * 86400
# Asked over the stack's own network, not through nginx; /alerts needs a token of its own.
OPEN_PATHS = ("/health", "/ready", metrics.PATH, alerts.PATH)
# How long a process that ends waits for each thread, such as the one that writes the audit log.
THREAD_END_TIMEOUT_S = 5.0

SENTENCES = {
    404: "There is nothing at this address.",
    413: "The form or request is too large.",
    500: "Something went wrong; the console's log says what.",
}

logger = logging.getLogger(__name__)


def build(settings: ConsoleSettings, stores: Stores) -> Flask:
    """Return the console; it connects to nothing and runs nothing before ``start``."""
    app = Flask("locust_fleet.console", static_url_path="/console/static")
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.config["SEND_FILE_MAX_AGE_DEFAULT"] = STATIC_AGE_S
    services = Services.of(settings, stores)
    app.extensions["fleet"] = services
    _check_requests(app, services.front_secret)
    # These two have a state for each application.
    app.register_blueprint(
        metrics.blueprint(services, several_processes=settings.several_processes)
    )
    app.register_blueprint(health.blueprint(services))
    for module in (alerts, auth, sign_in, runs, api, admin, notifications):
        app.register_blueprint(module.routes)
    _answer_errors(app)
    _prepare_templates(app, settings)
    return app


def start(app: Flask) -> Callable[[], None]:
    """Start the background threads of a process; returns a function that ends them in order.

    Under gevent they are greenlets, which do not survive a fork: call this after it.
    """
    services: Services = app.extensions["fleet"]
    closing = threading.Event()
    threads = [
        threading.Thread(
            target=vital(name, work, closing.is_set), args=(closing,), daemon=True, name=name
        )
        for name, work in (
            ("directory", services.directory.keep_fresh),
            ("leader", services.leader.keep_fresh),
            ("audit", services.audit.keep_writing),
        )
    ]
    for thread in threads:
        thread.start()

    def end() -> None:
        closing.set()
        for thread in threads:
            thread.join(THREAD_END_TIMEOUT_S)
        services.directory.close()
        services.audit.close()

    return end


def _check_requests(app: Flask, front_secret: str) -> None:
    """Refuse what does not come through nginx; check roles again, in case nginx did not ask."""

    @app.before_request
    def check() -> Response | None:
        g.identity = None
        if request.path in OPEN_PATHS:
            return None
        if not matches_secret(request.headers.get(SECRET_HEADER, ""), front_secret):
            return common.error(403, "Requests come through the front (nginx) only.")
        # nginx alone asks /auth and /refused, so these have no rule.
        g.identity = common.read_identity()
        rule = rule_for(request.method, request.path)
        if rule is None or rule.role is ANYONE:
            return None
        if g.identity and g.identity.role.covers(rule.role):
            return None
        return common.error(403, f"This needs the role {rule.role.value}.")

    @app.after_request
    def forbid_caching(response: Response) -> Response:
        if not request.path.startswith("/console/static/"):
            response.headers["Cache-Control"] = "no-store"
        return response


def _answer_errors(app: Flask) -> None:
    @app.errorhandler(StoreUnavailable)
    def store_unavailable(error: StoreUnavailable) -> Response:
        logger.warning("%s %s: %s", request.method, request.path, error)
        return common.error(
            503,
            "The results database does not answer. A running test goes on; try again in a moment.",
            "store_unavailable",
        )

    @app.errorhandler(MasterUnavailable)
    def master_unavailable(error: MasterUnavailable) -> Response:
        logger.warning("%s %s: %s", request.method, request.path, error)
        return common.error(503, str(error), "master_unavailable")

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        status = error.code or 500
        response = common.error(status, SENTENCES.get(status, str(error.description)))
        for name, value in error.get_headers():
            # Such as Allow of a 405; the page that this replaces has its own type and length.
            if name not in ("Content-Type", "Content-Length"):
                response.headers[name] = value
        return response


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
