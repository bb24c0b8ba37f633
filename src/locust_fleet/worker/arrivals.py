"""Begin this worker's arrivals of an open model, by its own copy of the leader's timeline.

Every worker asks the leader for the position of the timeline once per heartbeat. As in Cristian's
algorithm, it uses the answer with the shortest round trip, and takes it to be half of that old. So
hosts need no common clock, and the next answer makes up for a lost message. Without a leader, the
arrivals continue.
"""

from __future__ import annotations

from locust import runners
from locust.env import Environment
from locust.exception import RPCError
from locust.runners import STATE_RUNNING, STATE_SPAWNING, WorkerRunner

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import gevent

from locust_fleet.protocol.histogram import ARRIVED
from locust_fleet.protocol.messages import ARRIVALS, RUN
from locust_fleet.runtime.supervision import vital
from locust_fleet.users.arrival.corrected import count_from_intended
from locust_fleet.users.arrival.engine import Engine, open_classes
from locust_fleet.users.arrival.schedule import Part
from locust_fleet.users.arrival.shape import Ramp

ANSWERS_KEPT = 8
HAND_OVER_S, POLL_INTERVAL_S = 3.0, 0.05

logger = logging.getLogger(__name__)


class WorkerArrivals:
    """Begins this worker's part of the arrivals while it has users."""

    def __init__(
        self, environment: Environment, runner: WorkerRunner, run_id: Callable[[], str | None]
    ) -> None:
        self._environment = environment
        self._runner = runner
        self._run_id = run_id
        self._engine = Engine(environment)
        # True from the decision to stop the users until the last one has stopped.
        self._ending = False
        # Of the last answers: the round trip in seconds, and when the timeline began, monotonic.
        self._answers: deque[tuple[float, float]] = deque(maxlen=ANSWERS_KEPT)

    def attach(self) -> None:
        """Start to follow the leader's timeline, if a class of users has an open model."""
        if not open_classes(self._environment):
            return
        count = count_from_intended(self._environment.stats)
        self._environment.events.request.add_listener(count)
        self._runner.register_message(ARRIVALS, self._on_answer)
        gevent.spawn(vital("arrivals", self._watch))

    def hand_over(self) -> None:
        """Wait until other workers have this worker's part, at most HAND_OVER_S."""
        deadline = time.monotonic() + HAND_OVER_S
        while self._engine.has_part and time.monotonic() < deadline:
            gevent.sleep(POLL_INTERVAL_S)

    def _watch(self) -> None:
        while True:
            gevent.sleep(runners.HEARTBEAT_INTERVAL)
            if self._has_users:
                self._ask()

    @property
    def _has_users(self) -> bool:
        # Not worker_state, which stays "running" until the worker reports that all have stopped.
        return not self._ending and self._runner.state in (STATE_RUNNING, STATE_SPAWNING)

    def _ask(self, doubted: float | None = None) -> None:
        """Ask for the position of the timeline, and send this worker's own.

        ``doubted`` is the time in a new leader's question for it, which the answer returns.
        """
        now = time.monotonic()
        position = now - self._began() if self._engine.runs else None
        question = {"asked": now, "position": position, "doubted": doubted}
        try:
            self._runner.send_message(ARRIVALS, {RUN: self._run_id(), **question})
        except RPCError as error:
            logger.debug("this worker cannot ask the leader about arrivals: %s", error)

    def _on_answer(self, msg: Any, **_: Any) -> None:
        now, answer = time.monotonic(), msg.data
        if answer[RUN] != self._run_id():
            return
        if "doubted" in answer:
            if self._engine.runs:
                self._ask(answer["doubted"])
            return
        if answer["asked"] is not None:
            way_s = now - answer["asked"]
            self._answers.append((way_s, now - way_s / 2 - answer["position"]))
        elif not self._answers:
            self._ask()
        if not self._answers or not self._has_users:
            return
        if not self._engine.runs:
            ramps = {
                name: tuple(Ramp(*ramp) for ramp in of) for name, of in answer["ramps"].items()
            }
            self._engine.begin(ramps, self._began, now - self._began())
        self._engine.change({name: Part(*part) for name, part in answer["parts"].items()})

    def _began(self) -> float:
        """Return when the timeline began, in monotonic seconds of this process."""
        return min(self._answers)[1]

    def begin_run(self) -> None:
        """Forget the counts and answers of the previous run."""
        self._answers.clear()
        self._engine.take_counts()

    def stop_run(self) -> None:
        """Begin no more arrivals, because the users are about to stop."""
        self._ending = True
        self._engine.end()

    def end_run(self) -> None:
        """Note that all users have stopped."""
        self._ending = False
        self._engine.end()

    def report(self, data: dict[str, Any]) -> None:
        """Add the arrivals since the last report to a report."""
        if counts := self._engine.take_counts():
            data[ARRIVED] = counts
