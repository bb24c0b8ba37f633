"""Lead the arrivals of an open model: when they begin, and which worker has which part.

A worker's part is in proportion to the users that it is assigned, and so to its weight. The
leader announces each change a moment ahead, and all workers apply it at the same position of the
timeline, so no worker waits for another. A new leader learns the position of the timeline from
the first worker that asks for it.
"""

from __future__ import annotations

from locust.env import Environment
from locust.runners import STATE_RUNNING, STATE_SPAWNING, MasterRunner

import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate
from typing import Any

import gevent

from locust_fleet.master.dispatch.assignment import Users
from locust_fleet.protocol.messages import ARRIVALS, RUN
from locust_fleet.users.arrival.arrival_timer import AHEAD_S, LATE_S
from locust_fleet.users.arrival.engine import open_classes
from locust_fleet.users.arrival.schedule import Timeline
from locust_fleet.users.arrival.shape import Ramp, plain
from locust_fleet.users.arrival.standalone import end_run

POLL_INTERVAL_S = 0.25
# Seconds from the announcement of a change until it applies: long enough to reach each worker, and
# longer than workers schedule ahead.
ANNOUNCE_AHEAD_S = AHEAD_S + 0.8
# The least time between two changes: while users move, their numbers change with each step.
CHANGE_EVERY_S = 1.0
# How long a new leader waits for a worker that knows the position of the timeline. No worker knows
# it when all have stopped their users or have just joined.
CONFIRM_TIMEOUT_S = 5.0

# Class of users -> worker -> its part as (first, end, of), as in schedule.Part.
WorkerParts = dict[str, dict[str, tuple[int, int, int]]]

logger = logging.getLogger(__name__)


class ArrivalPlanner:
    """The timeline of the run, and the part of it that each worker has."""

    def __init__(
        self,
        environment: Environment,
        runner: MasterRunner,
        active_run: Callable[[], str | None],
        assigned: Callable[[], Users],
    ) -> None:
        self._environment = environment
        self._runner = runner
        self._active_run = active_run
        self._assigned = assigned
        self._run: str | None = None
        self._began: float | None = None
        # Until a worker has confirmed it, or this moment has passed, ``_began`` is only what the
        # clock of the previous leader's host says.
        self._unconfirmed_until = -math.inf
        self._ramps: dict[str, list[tuple[float, float, float]]] = {}
        self._parts: WorkerParts = {}
        self._since = self._change_at = 0.0

    def attach(self) -> None:
        """Start to answer workers, and to announce changes."""
        self._runner.register_message(ARRIVALS, self._answer)
        gevent.spawn(self._watch)

    def dump(self) -> dict[str, Any]:
        """Return plain data for the checkpoint; the start is in seconds since 1970."""
        began = self._began
        return {
            "run": self._run,
            "began": None if began is None else time.time() - time.monotonic() + began,
            "ramps": self._ramps,
        }

    def load(self, known: Mapping[str, Any]) -> None:
        """Restore what ``dump`` returned, possibly on a host whose clock differs."""
        self._reset(known["run"])
        self._ramps = known["ramps"]
        if known["began"] is not None:
            self._began = known["began"] - time.time() + time.monotonic()
            self._unconfirmed_until = time.monotonic() + CONFIRM_TIMEOUT_S

    def check(self, now: float) -> None:
        """Begin, change parts or end the run, if it is time to; ``now`` is in monotonic seconds."""
        run = self._active_run()
        if run != self._run:
            self._reset(run)
        if now < self._unconfirmed_until:
            return
        runner, classes = self._runner, open_classes(self._environment)
        if run is None or not classes or runner.state not in (STATE_RUNNING, STATE_SPAWNING):
            return
        if self._began is None:
            if not runner.spawning_completed:
                return
            self._began = now + ANNOUNCE_AHEAD_S
            self._ramps = {user.__name__: plain(each.ramps) for user, each in classes.items()}
            logger.info("arrivals of %s begin", ", ".join(self._ramps))
        parts = parts_of(self._assigned(), self._ramps)
        if any(parts.values()) and parts != self._parts and now >= self._change_at:
            self._parts, self._since = parts, now + ANNOUNCE_AHEAD_S - self._began
            self._change_at = now + CHANGE_EVERY_S
            for worker in list(runner.clients):
                self._send_parts(worker, None)
        if now > self._end and len(classes) == len(self._environment.user_classes):
            logger.info("all arrivals are over")
            end_run(self._environment)

    @property
    def _end(self) -> float:
        """When the last arrival has begun or was dropped, in monotonic seconds."""
        ends = [
            Timeline(tuple(Ramp(*each) for each in ramps)).end for ramps in self._ramps.values()
        ]
        return (self._began or math.inf) + max(ends) + LATE_S + POLL_INTERVAL_S

    def _watch(self) -> None:
        while True:
            gevent.sleep(POLL_INTERVAL_S)
            try:
                self.check(time.monotonic())
            except Exception:  # a check that fails must not be the last; logged below
                logger.exception("the master could not lead the arrivals; it tries again")

    def _answer(self, msg: Any, **_: Any) -> None:
        question = msg.data
        if self._began is None or question[RUN] != self._run:
            return
        now = time.monotonic()
        if now >= self._unconfirmed_until:
            if self._parts:
                self._send_parts(msg.node_id, question["asked"])
        elif question["doubted"] is not None:
            self._began = (question["doubted"] + now) / 2 - question["position"]
            self._unconfirmed_until = -math.inf
        elif question["position"] is not None:
            # The position may be old: the message may have waited until this master led.
            self._runner.send_message(ARRIVALS, {RUN: self._run, "doubted": now}, msg.node_id)

    def _send_parts(self, worker: str, asked: float | None) -> None:
        assert self._began is not None, "there are no parts before the arrivals begin"
        parts = {
            name: (self._since, *workers.get(worker, (0, 0, 1)))
            for name, workers in self._parts.items()
        }
        message = {RUN: self._run, "asked": asked, "ramps": self._ramps, "parts": parts}
        position = time.monotonic() - self._began
        self._runner.send_message(ARRIVALS, {**message, "position": position}, worker)

    def _reset(self, run: str | None) -> None:
        self._run, self._began, self._unconfirmed_until = run, None, -math.inf
        self._ramps, self._parts = {}, {}
        self._since = self._change_at = 0.0


def parts_of(assigned: Users, classes: Iterable[str]) -> WorkerParts:
    """Return the parts of workers, in proportion to the users of each class that they are assigned.

    Pure. A worker without users of a class has no part in it.
    """
    return {
        name: _parts({worker: users.get(name, 0) for worker, users in assigned.items()})
        for name in classes
    }


def _parts(users: Mapping[str, int]) -> dict[str, tuple[int, int, int]]:
    sizes = {worker: size for worker, size in sorted(users.items()) if size}
    ends = list(accumulate(sizes.values()))
    return {
        worker: (end - size, end, ends[-1])
        for (worker, size), end in zip(sizes.items(), ends, strict=True)
    }
