"""Metrics of the console, for Prometheus alone: nginx passes on no such path.

Gunicorn runs several processes and any of them may be asked, so they count in files that all
of them read: prometheus_client does so where PROMETHEUS_MULTIPROC_DIR is set.
"""

from __future__ import annotations

import os

from flask import Blueprint, Response, make_response, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from locust_fleet.console.services import Services
from locust_fleet.notify import outbox
from locust_fleet.notify.metrics import OutboxCollector

PATH = "/metrics"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def blueprint(parts: Services) -> Blueprint:
    """Return the route, and count every request of the application."""
    routes = Blueprint("metrics", __name__)
    registry = CollectorRegistry()
    shared = "PROMETHEUS_MULTIPROC_DIR" in os.environ
    requests = Counter(
        "fleet_console_requests",
        "Requests that the console answered.",
        ("method", "status"),
        registry=None if shared else registry,
    )
    if shared:
        MultiProcessCollector(registry)

    def read() -> list[outbox.OutboxCounts]:
        with parts.database.connection() as connection:
            return outbox.read_counts(connection)

    registry.register(OutboxCollector(read))

    @routes.after_app_request
    def count(response: Response) -> Response:
        method = request.method if request.method in METHODS else "other"
        requests.labels(method, str(response.status_code)).inc()
        return response

    @routes.get(PATH)
    def metrics() -> Response:
        return make_response(generate_latest(registry), 200, {"Content-Type": CONTENT_TYPE_LATEST})

    return routes
