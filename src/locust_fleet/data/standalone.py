"""Shared data without a fleet: plain ``locust -f``, a laptop, a test of a scenario.

It listens to Locust's events by itself, because no bootstrap runs in such a process.
"""

from __future__ import annotations

from locust import events
from locust.env import Environment
from locust.runners import DistributedRunner

import itertools
import json
import logging
from typing import Any

from locust_fleet.data.client import DataClient, DataRegistry
from locust_fleet.data.in_process_store import InProcessStore
from locust_fleet.data.summary import summed_up
from locust_fleet.errors import DataError

# Longer than any test: there is no other worker that records must be taken back for.
EXPIRY_S = 10 * 365 * 86400.0

logger = logging.getLogger(__name__)


class StandaloneStore:
    """The shared data of a process that belongs to no fleet."""

    def __init__(self) -> None:
        self._store = InProcessStore()
        self._numbers = itertools.count(1)
        self._refusal: str | None = None
        self._begin()

    def client(self) -> DataClient:
        """Return a client of this process."""
        return DataClient(self._store, self._run_id, lambda: "alone", EXPIRY_S)

    def attach(self, registry: DataRegistry) -> None:
        """Follow plain Locust from its ``init`` on, unless this process belongs to a fleet."""

        def init(environment: Environment, **_: Any) -> None:
            if not registry.in_fleet:
                self.follow(environment, registry.client)

        events.init.add_listener(init)

    def follow(self, environment: Environment, client: DataClient) -> None:
        """Begin with no data in each test of this environment."""
        if isinstance(environment.runner, DistributedRunner):
            self._refusal = (
                "Locust's own workers share no data; start them with locust-fleet worker"
            )
        environment.events.request.add_listener(client.count_request)
        environment.events.test_start.add_listener(lambda **_: self._start(client))
        environment.events.test_stopping.add_listener(lambda **_: client.stop_waiting())
        environment.events.test_stop.add_listener(lambda **_: self._stop(client))

    def _begin(self) -> None:
        self._run = f"alone-{next(self._numbers)}"
        self._store.open(self._run)

    def _start(self, client: DataClient) -> None:
        self._begin()
        client.begin()

    def _stop(self, client: DataClient) -> None:
        client.end()
        closed = self._store.close(self._run)
        if summed_up(closed):
            logger.info("shared data of the test: %s", json.dumps(closed))
        self._begin()

    def _run_id(self) -> str:
        if self._refusal:
            raise DataError(self._refusal)
        return self._run
