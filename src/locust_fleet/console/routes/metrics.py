"""Answer /metrics, for Prometheus alone: nginx does not pass this path on.

Gunicorn runs several processes, and Prometheus asks any of them. So they count in files that all
of them read, as prometheus_client does where PROMETHEUS_MULTIPROC_DIR is set.
"""

from __future__ import annotations

from flask import Blueprint, Response, make_response, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from locust_fleet.console.services import Services
from locust_fleet.notify import outbox
from locust_fleet.notify.metrics import OutboxCollector

PATH = "/metrics"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def blueprint(services: Services, *, several_processes: bool) -> Blueprint:
    """Return the route, which also counts every request of the application."""
    routes = Blueprint("metrics", __name__)
    registry = CollectorRegistry()
    requests = Counter(
        "fleet_console_requests",
        "Requests that the console answered.",
        ("method", "status"),
        registry=None if several_processes else registry,
    )
    if several_processes:
        MultiProcessCollector(registry)

    def read() -> list[outbox.OutboxCounts]:
        with services.database.connection() as connection:
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
