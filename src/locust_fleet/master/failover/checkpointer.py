"""Save a checkpoint after each change, and then release what it makes safe.

The master acknowledges reports, and writes records to the spool, only when a checkpoint has them.
So the next leader has the same samples, and asks workers for the reports after them.
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
from locust_fleet.master.failover.checkpoint_store import CheckpointStore, State
from locust_fleet.master.reports.acknowledge import Acknowledger
from locust_fleet.master.reports.sequence import ReportSequence
from locust_fleet.master.results.recorder import Recorder

# Seconds between two checkpoints; reports that arrive meanwhile are saved together.
PAUSE_S = 0.2
# The largest share of the time that goes into checkpoints.
LARGEST_SHARE = 0.1
POLL_INTERVAL_S = 1.0

logger = logging.getLogger(__name__)


class Checkpointer:
    """Keeps the checkpoint up to date; without Redis, it releases everything at once."""

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
        # An earlier state must not reach Redis after a later one.
        self._lock = RLock()

    def mark_dirty(self) -> None:
        """Note a change, to be saved with the next checkpoint."""
        self._changed.set()

    def mark_urgent(self) -> None:
        """Note a decision, such as a stop, which is saved without waiting for PAUSE_S."""
        self._urgent.set()
        self._changed.set()

    def run_forever(self) -> None:
        """Save a checkpoint after each change; never raises or returns."""
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
            except Exception:  # the next round tries again; logged below
                logger.exception("the master could not save a checkpoint; it tries again")
                gevent.sleep(POLL_INTERVAL_S)
            else:
                self._urgent.wait(max(PAUSE_S, busy_s / LARGEST_SHARE))

    def save(self) -> float:
        """Save the present state; return the seconds it took.

        Ends this process if another master leads. Raises StoreUnavailable without Redis.
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
                logger.info("Redis is back; another master can take over the run again")
        self._recorder.release(noted)
        self._acknowledger.acknowledge(run, counted)
        return time.perf_counter() - began

    def save_now(self) -> None:
        """Save before returning; if Redis is unavailable, as soon as it is back."""
        try:
            self.save()
        except StoreUnavailable as error:
            self._log_outage(error)

    def save_last(self) -> None:
        """Save a last time, and write all results, even if Redis is unavailable."""
        self.save_now()
        self._recorder.release_all()

    def _log_outage(self, error: StoreUnavailable) -> None:
        self.mark_dirty()
        if not self._redis_is_away:
            self._redis_is_away = True
            logger.warning("the run goes on, but no other master could take it over: %s", error)
