"""Say whether the stack can be used, and what is missing."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, jsonify, make_response
from redis.exceptions import RedisError

from locust_fleet.console.runs.master_client import MasterUnavailable
from locust_fleet.console.services import Services

# Anybody may ask, and asking costs a look at three services.
KEPT_S = 1.0


@dataclass(frozen=True)
class Readiness:
    """Which services answer, and how many workers the leader has."""

    postgres: bool
    redis: bool
    leader: bool
    workers: int

    @property
    def usable(self) -> bool:
        """Tell whether a person can see and stop a run: the rest may be away for a while."""
        return self.leader

    def to_json(self) -> dict[str, Any]:
        """Return it for JSON, with the names of what is missing."""
        answers = {
            "postgres": self.postgres,
            "redis": self.redis,
            "leader": self.leader,
            "workers": self.workers > 0,
        }
        missing = [name for name, there in answers.items() if not there]
        return {"ready": self.usable, **answers, "workers": self.workers, "missing": missing}


class Watch:
    """Looks when somebody asks, at most once a second."""

    def __init__(self, parts: Services) -> None:
        self._parts = parts
        self._turn = threading.Lock()
        self._looked_at = float("-inf")
        self._seen = Readiness(False, False, False, 0)

    def look(self) -> Readiness:
        """Return how things are, or were up to a second ago."""
        with self._turn:
            if time.monotonic() - self._looked_at > KEPT_S:
                self._seen = self._look()
                self._looked_at = time.monotonic()
            return self._seen

    def _look(self) -> Readiness:
        workers = self._workers()
        return Readiness(
            postgres=self._parts.directory.reachable,
            redis=self._redis_answers(),
            leader=workers is not None,
            workers=workers or 0,
        )

    def _workers(self) -> int | None:
        try:
            return int(self._parts.master.status()["workers"])
        except (MasterUnavailable, KeyError, TypeError, ValueError):
            return None

    def _redis_answers(self) -> bool:
        try:
            return bool(self._parts.redis.ping())
        except RedisError:
            return False


def blueprint(parts: Services) -> Blueprint:
    """Return the routes, which need no secret and no sign-in."""
    routes = Blueprint("health", __name__)
    watch = Watch(parts)

    @routes.get("/health")
    def health() -> Response:
        # That an answer comes at all shows that the process lives and its loop turns.
        return make_response("ok\n", 200, {"Content-Type": "text/plain"})

    @routes.get("/ready")
    def ready() -> Response:
        readiness = watch.look()
        return make_response(jsonify(readiness.to_json()), 200 if readiness.usable else 503)

    return routes
