"""Shared data without a fleet: plain ``locust -f``, a laptop, a test of a scenario.

It listens to Locust's events by itself, because no bootstrap runs then.
"""

from __future__ import annotations

from locust import events
from locust.env import Environment
from locust.runners import DistributedRunner

import itertools
import json
import logging
from typing import Any

from locust_fleet.data.client import DataClient, DataClients
from locust_fleet.data.in_process_store import InProcessStore
from locust_fleet.data.summary import summed_up
from locust_fleet.errors import DataError

# Nobody else could have a record, so none is ever taken away.
EXPIRY_S = 10 * 365 * 86400.0

logger = logging.getLogger(__name__)


class StandaloneStore:
    """The data of this process, which is all there is."""

    def __init__(self) -> None:
        self._memory = InProcessStore()
        self._numbers = itertools.count(1)
        self._refusal: str | None = None
        self._begin()

    def desk(self) -> DataClient:
        """Return a desk of this process."""
        self._desk = DataClient(self._memory, self._run_id, lambda: "alone", EXPIRY_S)
        return self._desk

    def attach(self, desks: DataClients) -> None:
        """From now on follow plain Locust, unless this process belongs to a fleet."""

        def init(environment: Environment, **_: Any) -> None:
            if not desks.in_fleet:
                self.follow(environment, desks.desk)

        events.init.add_listener(init)

    def follow(self, environment: Environment, desk: DataClient) -> None:
        """From now on begin anew with each test of this environment."""
        if isinstance(environment.runner, DistributedRunner):
            self._refusal = (
                "Locust's own workers share no data; start them with locust-fleet worker"
            )
        environment.events.request.add_listener(desk.count_request)
        environment.events.test_start.add_listener(lambda **_: self._start(desk))
        environment.events.test_stopping.add_listener(lambda **_: desk.stop_waiting())
        environment.events.test_stop.add_listener(lambda **_: self._stop(desk))

    def _begin(self) -> None:
        self._run = f"alone-{next(self._numbers)}"
        self._memory.open(self._run)

    def _start(self, desk: DataClient) -> None:
        self._begin()
        desk.begin()

    def _stop(self, desk: DataClient) -> None:
        desk.end()
        closed = self._memory.close(self._run)
        if summed_up(closed):
            logger.info("shared data of the test: %s", json.dumps(closed))
        self._begin()

    def _run_id(self) -> str:
        if self._refusal:
            raise DataError(self._refusal)
        return self._run
