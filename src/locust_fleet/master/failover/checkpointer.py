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
POLL_INTERVAL_S = 1.0

logger = logging.getLogger(__name__)


class Checkpointer:
    """Keeps the checkpoint up to date; without Redis, nothing waits for it."""

    def __init__(
        self,
        checkpoints: CheckpointStore | None,
        dump: Callable[[], State],
        recorder: Recorder,
        sequence: ReportSequence,
        acknowledger: Acknowledger,
    ) -> None:
        self._checkpoints = checkpoints
        self._dump = dump
        self._recorder = recorder
        self._sequence = sequence
        self._acknowledger = acknowledger
        self._changed = Event()
        self._urgent = Event()
        self._redis_is_away = False
        # An earlier state must not arrive after a later one.
        self._lock = RLock()

    def mark_dirty(self) -> None:
        """Note that something changed."""
        self._changed.set()

    def mark_urgent(self) -> None:
        """Note that somebody decided something, which should not wait for what is reported."""
        self._urgent.set()
        self._changed.set()

    def run_forever(self) -> None:
        """Save after each change; never raises."""
        while True:
            self._changed.wait(POLL_INTERVAL_S)
            if not (
                self._changed.is_set() or self._recorder.active or self._recorder.has_unreleased
            ):
                continue
            try:
                busy_s = self.save()
            except StoreUnavailable as error:
                self._log_outage(error)
                gevent.sleep(POLL_INTERVAL_S)
            except Exception:  # whatever it is, the next round tries again; logged below
                logger.exception("saving a checkpoint failed; trying again")
                gevent.sleep(POLL_INTERVAL_S)
            else:
                self._urgent.wait(max(PAUSE_S, busy_s / LARGEST_SHARE))

    def save(self) -> float:
        """Save what is now; returns the seconds it took. Ends this process if another leads.

        Raises StoreUnavailable when Redis is away.
        """
        with self._lock:
            return self._save()

    def _save(self) -> float:
        began = time.perf_counter()
        self._changed.clear()
        self._urgent.clear()
        run, counted = self._sequence.run, self._sequence.counted()
        noted = self._recorder.noted
        if self._checkpoints is not None:
            state = self._dump()
            try:
                self._checkpoints.save(state)
            except LeadershipLost as error:
                step_down(error)
            if self._redis_is_away:
                self._redis_is_away = False
                logger.info("Redis is back; the run is safe again")
        self._recorder.release(noted)
        self._acknowledger.acknowledge(run, counted)
        return time.perf_counter() - began

    def save_now(self) -> None:
        """Save before anything else happens; without Redis, as soon as it is back."""
        try:
            self.save()
        except StoreUnavailable as error:
            self._log_outage(error)

    def save_last(self) -> None:
        """Save for the last time; if Redis is away, write the results all the same."""
        self.save_now()
        self._recorder.release_all()

    def _log_outage(self, error: StoreUnavailable) -> None:
        self.mark_dirty()
        if not self._redis_is_away:
            self._redis_is_away = True
            logger.warning("the run goes on, but no other master could take it over: %s", error)
