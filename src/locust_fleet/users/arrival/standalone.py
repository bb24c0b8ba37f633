"""Arrivals without a fleet: plain ``locust -f``, a laptop, a test of a scenario.

It listens to Locust's events by itself, as data/standalone.py does, because no bootstrap runs in
such a process.
"""

from __future__ import annotations

from locust import events
from locust.env import Environment
from locust.runners import DistributedRunner

import logging
import time
from typing import Any

import gevent

from locust_fleet.errors import ShapeError
from locust_fleet.users.arrival.corrected import count_from_intended, show_dropped
from locust_fleet.users.arrival.engine import Engine, open_classes
from locust_fleet.users.arrival.schedule import ALL

logger = logging.getLogger(__name__)

POLL_S = 0.5


class StandaloneArrivals:
    """Begins the arrivals of a process that belongs to no fleet."""

    def __init__(self) -> None:
        # A master or worker of a fleet sets this, and begins arrivals by itself.
        self.in_fleet = False

    def attach(self) -> None:
        """Follow plain Locust from its ``init`` on, unless this process belongs to a fleet."""
        events.init.add_listener(self._init)

    def follow(self, environment: Environment) -> None:
        """Begin arrivals with each test of this environment; ShapeError on Locust's own workers."""
        if isinstance(environment.runner, DistributedRunner):
            raise ShapeError(
                "Locust's own workers do not share arrivals; start them with locust-fleet worker"
            )
        engine = Engine(environment)

        def spawning_complete(**_: Any) -> None:
            if not engine.runs:
                classes = open_classes(environment)
                began = time.monotonic()
                engine.begin(
                    {user.__name__: arrivals.ramps for user, arrivals in classes.items()},
                    lambda: began,
                    0.0,
                )
                engine.change({user.__name__: ALL for user in classes})

        def test_stopping(**_: Any) -> None:
            if not engine.runs:
                logger.warning(
                    "no iteration has begun: the run ended before all users were spawned;"
                    " use a longer run time or a higher spawn rate"
                )
            engine.end()

        environment.events.request.add_listener(count_from_intended(environment.stats))
        environment.events.test_start.add_listener(lambda **_: engine.take_counts())
        environment.events.spawning_complete.add_listener(spawning_complete)
        environment.events.test_stopping.add_listener(test_stopping)
        environment.events.test_stop.add_listener(lambda **_: _show(environment, engine))
        gevent.spawn(_watch, environment, engine)

    def _init(self, environment: Environment, **_: Any) -> None:
        if not self.in_fleet and open_classes(environment):
            self.follow(environment)


def end_run(environment: Environment) -> None:
    """End a run whose last stage is over, as Locust does when its load shape is over."""
    runner, options = environment.runner, environment.parsed_options
    assert runner is not None
    if options and options.headless:
        runner.quit()
    else:
        runner.stop()


def _watch(environment: Environment, engine: Engine) -> None:
    while True:
        gevent.sleep(POLL_S)
        _show(environment, engine)
        if engine.over and len(open_classes(environment)) == len(environment.user_classes):
            end_run(environment)


def _show(environment: Environment, engine: Engine) -> None:
    for name, (_, dropped) in engine.take_counts().items():
        if dropped:
            show_dropped(environment.stats, name, dropped)
