"""Write a checkpoint after every change, and let go what it makes safe.

Reports are acknowledged, and records written to the spool, only when they are in a checkpoint:
whoever comes after then has the same samples, and asks for the reports that follow.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import gevent
from gevent.event import Event
from gevent.lock import RLock

from locust_fleet.election.leadership import step_down
from locust_fleet.errors import LeadershipLost, StoreUnavailable
from locust_fleet.master.failover.checkpoint import CheckpointStore, State
from locust_fleet.master.reports.acknowledge import Acknowledger
from locust_fleet.master.reports.sequence import ReportSequence
from locust_fleet.master.results.recorder import Recorder

# What workers report within this time is written together.
PAUSE_S = 0.2
# Of the time, at most this part is spent on checkpoints.
LARGEST_SHARE = 0.1
LOOK_EVERY_S = 1.0

logger = logging.getLogger(__name__)


class Checkpointer:
    """Keeps the checkpoint up to date; without Redis, nothing waits for it."""

    def __init__(
        self,
        checkpoints: CheckpointStore | None,
        collect: Callable[[], State],
        recorder: Recorder,
        receipts: ReportSequence,
        reception: Acknowledger,
    ) -> None:
        self._checkpoints = checkpoints
        self._collect = collect
        self._recorder = recorder
        self._receipts = receipts
        self._reception = reception
        self._changed = Event()
        self._decided = Event()
        self._away = False
        # An earlier state must not arrive after a later one.
        self._one_at_a_time = RLock()

    def touch(self) -> None:
        """Note that something changed."""
        self._changed.set()

    def touch_at_once(self) -> None:
        """Note that somebody decided something, which should not wait for what is reported."""
        self._decided.set()
        self._changed.set()

    def run_forever(self) -> None:
        """Save after each change; never raises."""
        while True:
            self._changed.wait(LOOK_EVERY_S)
            if not (self._changed.is_set() or self._recorder.active or self._recorder.waits):
                continue
            try:
                busy_s = self.save()
            except StoreUnavailable as error:
                self._lost(error)
                gevent.sleep(LOOK_EVERY_S)
            except Exception:  # whatever it is, the next round tries again; logged below
                logger.exception("saving a checkpoint failed; trying again")
                gevent.sleep(LOOK_EVERY_S)
            else:
                self._decided.wait(max(PAUSE_S, busy_s / LARGEST_SHARE))

    def save(self) -> float:
        """Save what is now; returns the seconds it took. Ends this process if another leads.

        Raises StoreUnavailable when Redis is away.
        """
        with self._one_at_a_time:
            return self._save()

    def _save(self) -> float:
        began = time.perf_counter()
        self._changed.clear()
        self._decided.clear()
        run, counted = self._receipts.run, self._receipts.counted()
        noted = self._recorder.noted
        if self._checkpoints is not None:
            state = self._collect()
            try:
                self._checkpoints.save(state)
            except LeadershipLost as error:
                step_down(error)
            if self._away:
                self._away = False
                logger.info("Redis is back; the run is safe again")
        self._recorder.release(noted)
        self._reception.keep(run, counted)
        return time.perf_counter() - began

    def save_now(self) -> None:
        """Save before anything else happens; without Redis, as soon as it is back."""
        try:
            self.save()
        except StoreUnavailable as error:
            self._lost(error)

    def save_last(self) -> None:
        """Save for the last time; if Redis is away, write the results all the same."""
        self.save_now()
        self._recorder.let_go()

    def _lost(self, error: StoreUnavailable) -> None:
        self.touch()
        if not self._away:
            self._away = True
            logger.warning("the run goes on, but no other master could take it over: %s", error)
