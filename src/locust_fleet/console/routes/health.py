"""Answer /health and /ready: whether people can use the stack, and what is missing."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, jsonify, make_response
from redis.exceptions import RedisError

from locust_fleet.console.runs.master_client import MasterUnavailable
from locust_fleet.console.services import Services

# Anybody may ask, and each answer asks three services, so an answer is kept for so long.
CACHED_S = 1.0


@dataclass(frozen=True)
class StackReadiness:
    """Which services answer, and how many workers the leader has."""

    postgres: bool
    redis: bool
    leader: bool
    workers: int

    @property
    def usable(self) -> bool:
        """Tell whether people can see and stop a run, which needs the leader alone."""
        return self.leader

    def to_json(self) -> dict[str, Any]:
        """Return the fields of /ready, with the names of what is missing."""
        answers = {
            "postgres": self.postgres,
            "redis": self.redis,
            "leader": self.leader,
            "workers": self.workers > 0,
        }
        missing = [name for name, there in answers.items() if not there]
        return {"ready": self.usable, **answers, "workers": self.workers, "missing": missing}


class ReadinessCheck:
    """Asks the services when somebody wants to know, at most once a second."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._lock = threading.Lock()
        self._checked_at = float("-inf")
        self._last = StackReadiness(False, False, False, 0)

    def readiness(self) -> StackReadiness:
        """Return the readiness, at most a second old."""
        with self._lock:
            if time.monotonic() - self._checked_at > CACHED_S:
                self._last = self._check()
                self._checked_at = time.monotonic()
            return self._last

    def _check(self) -> StackReadiness:
        workers = self._workers()
        return StackReadiness(
            postgres=self._services.directory.reachable,
            redis=self._redis_answers(),
            leader=workers is not None,
            workers=workers or 0,
        )

    def _workers(self) -> int | None:
        try:
            return int(self._services.master.status()["workers"])
        except (MasterUnavailable, KeyError, TypeError, ValueError):
            return None

    def _redis_answers(self) -> bool:
        try:
            return bool(self._services.redis.ping())
        except RedisError:
            return False


def blueprint(services: Services) -> Blueprint:
    """Return the routes, which need no secret and no sign-in, with one check for all requests."""
    routes = Blueprint("health", __name__)
    check = ReadinessCheck(services)

    @routes.get("/health")
    def health() -> Response:
        # Any answer shows that the process runs and its event loop is not blocked.
        return make_response("ok\n", 200, {"Content-Type": "text/plain"})

    @routes.get("/ready")
    def ready() -> Response:
        readiness = check.readiness()
        return make_response(jsonify(readiness.to_json()), 200 if readiness.usable else 503)

    return routes
