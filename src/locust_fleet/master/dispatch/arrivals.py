"""Lead the arrivals of an open model: when they began, and which worker has which part.

A worker's part follows the users that it was told to run, and so its weight. All workers change
their parts at the same position of the timeline, shortly after it was announced; nobody waits for
anybody. A leader that takes over believes the first worker that asks where the timeline is.
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

from locust_fleet.master.dispatch.planner import Users
from locust_fleet.protocol.messages import ARRIVALS, RUN
from locust_fleet.users.arrival.engine import open_classes
from locust_fleet.users.arrival.metronome import AHEAD_S, LATE_S
from locust_fleet.users.arrival.schedule import Timeline
from locust_fleet.users.arrival.shape import Ramp, plain
from locust_fleet.users.arrival.standalone import end_run

POLL_INTERVAL_S = 0.25
# From an announcement until it is valid: what workers have worked out by then is done, and it has
# reached them.
ANNOUNCE_AHEAD_S = AHEAD_S + 0.8
# While users move, their numbers change often.
CHANGE_EVERY_S = 1.0
# How long a leader that takes over waits for a worker that knows where the timeline is. There is
# none when all have stopped their users, or come only now.
CONFIRM_TIMEOUT_S = 5.0

# Of each class each worker's part: the first and the last of so many, as in schedule.Part.
WorkerParts = dict[str, dict[str, tuple[int, int, int]]]

logger = logging.getLogger(__name__)


class ArrivalPlanner:
    """The timeline of the run, and its parts."""

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
        # Until when the clock of another host is not believed that said when it began.
        self._unconfirmed_until = -math.inf
        self._ramps: dict[str, list[tuple[float, float, float]]] = {}
        self._parts: WorkerParts = {}
        self._since = self._change_at = 0.0

    def attach(self) -> None:
        """From now on, answer workers and lead."""
        self._runner.register_message(ARRIVALS, self._answer)
        gevent.spawn(self._watch)

    def dump(self) -> dict[str, Any]:
        """Return what a leader needs that takes over; the start is in seconds since 1970."""
        began = self._began
        return {
            "run": self._run,
            "began": None if began is None else time.time() - time.monotonic() + began,
            "ramps": self._ramps,
        }

    def load(self, known: Mapping[str, Any]) -> None:
        """Go on from what the leader before knew, by a clock that may be another one."""
        self._reset(known["run"])
        self._ramps = known["ramps"]
        if known["began"] is not None:
            self._began = known["began"] - time.time() + time.monotonic()
            self._unconfirmed_until = time.monotonic() + CONFIRM_TIMEOUT_S

    def check(self, now: float) -> None:
        """Begin, change parts or end, where it is time for that; ``now`` is monotonic."""
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
        """When the last arrival has begun, or is dropped."""
        ends = [
            Timeline(tuple(Ramp(*each) for each in ramps)).end for ramps in self._ramps.values()
        ]
        return (self._began or math.inf) + max(ends) + LATE_S + POLL_INTERVAL_S

    def _watch(self) -> None:
        while True:
            gevent.sleep(POLL_INTERVAL_S)
            try:
                self.check(time.monotonic())
            except Exception:  # a look that fails must not be the last; logged below
                logger.exception("arrivals are not led; trying again")

    def _answer(self, msg: Any, **_: Any) -> None:
        says = msg.data
        if self._began is None or says[RUN] != self._run:
            return
        now = time.monotonic()
        if now >= self._unconfirmed_until:
            if self._parts:
                self._send_parts(msg.node_id, says["asked"])
        elif says["doubted"] is not None:
            self._began = (says["doubted"] + now) / 2 - says["position"]
            self._unconfirmed_until = -math.inf
        elif says["position"] is not None:
            # What it said may have waited long for somebody to hear it.
            self._runner.send_message(ARRIVALS, {RUN: self._run, "doubted": now}, msg.node_id)

    def _send_parts(self, worker: str, asked: float | None) -> None:
        assert self._began is not None, "there is nothing to tell before"
        parts = {
            name: (self._since, *workers.get(worker, (0, 0, 1)))
            for name, workers in self._parts.items()
        }
        said = {RUN: self._run, "asked": asked, "ramps": self._ramps, "parts": parts}
        position = time.monotonic() - self._began
        self._runner.send_message(ARRIVALS, {**said, "position": position}, worker)

    def _reset(self, run: str | None) -> None:
        self._run, self._began, self._unconfirmed_until = run, None, -math.inf
        self._ramps, self._parts = {}, {}
        self._since = self._change_at = 0.0


def parts_of(assigned: Users, classes: Iterable[str]) -> WorkerParts:
    """Return the parts of workers for what they were told to run; pure."""
    return {
        name: _parts({who: users.get(name, 0) for who, users in assigned.items()})
        for name in classes
    }


def _parts(users: Mapping[str, int]) -> dict[str, tuple[int, int, int]]:
    sizes = {worker: size for worker, size in sorted(users.items()) if size}
    ends = list(accumulate(sizes.values()))
    return {
        worker: (end - size, end, ends[-1])
        for (worker, size), end in zip(sizes.items(), ends, strict=True)
    }
