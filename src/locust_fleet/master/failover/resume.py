"""Continue the previous leader's run, without a user noticing.

Locust 2.47.0 cannot continue a run that it did not start: ``MasterRunner.start`` would clear the
statistics and dispatch all users again. So this restores Locust's state from the checkpoint, takes
over the workers with their users, and dispatches only those that are missing.
"""

from __future__ import annotations

from locust import runners
from locust.runners import (
    STATE_MISSING,
    STATE_RUNNING,
    STATE_SPAWNING,
    STATE_STOPPING,
    WorkerNode,
)

import logging
import time
from collections.abc import Mapping
from typing import Any

import gevent
from gevent.event import Event

from locust_fleet.master.dispatch.dispatcher import PacedDispatcher, users_by_class
from locust_fleet.master.dispatch.rebalancer import NO_WORKER_BEATS
from locust_fleet.master.failover import locust_state
from locust_fleet.master.failover.checkpoint_store import CheckpointStore, State
from locust_fleet.master.parts import Dispatch, Locust, Reports, Results, Workers
from locust_fleet.master.results.recorder import LEADER_CHANGED
from locust_fleet.master.results.run import Run, utc_now
from locust_fleet.runtime.supervision import vital

POLL_INTERVAL_S = 0.05

logger = logging.getLogger(__name__)


class Resume:
    """Dumps this master's state for the checkpoint, and resumes the run of a checkpoint."""

    def __init__(
        self,
        locust: Locust,
        results: Results,
        reports: Reports,
        workers: Workers,
        dispatch: Dispatch,
        name: str,
        checkpoints: CheckpointStore | None,
    ) -> None:
        """Take the parts that a checkpoint covers and this master's name; None without Redis."""
        self._environment = locust.environment
        self._runner = locust.runner
        self._web_ui = locust.web_ui
        self._recorder = results.recorder
        self._sequence = reports.sequence
        self._workers = workers
        self._dispatch = dispatch
        self._checkpoints = checkpoints
        self._name = name
        # The previous leader's load, until its workers are taken over.
        self._former: Mapping[str, Any] = {}
        self._done = Event()
        self._done.set()

    @property
    def done(self) -> bool:
        """Whether nothing is left to resume; false while workers are being taken over."""
        return self._done.is_set()

    def wait(self) -> None:
        """Wait until nothing is left to resume, as each start and stop of a run must."""
        self._done.wait()

    def dump(self) -> State:
        """Return the state for a checkpoint; plain data."""
        environment, runner = self._environment, self._runner
        load = locust_state.dump_target_load(environment, runner)
        return {
            "load": load if self.done else locust_state.with_former_workers(self._former, load),
            "recorder": self._recorder.dump(),
            "receipts": self._sequence.counted(),
            "weights": self._dispatch.weights.dump(),
            "losses": self._workers.loss_bound.dump(),
            "arrivals": self._dispatch.arrivals.dump(),
            "user_settings": self._workers.class_settings.dump(),
            "statistics": locust_state.dump_statistics(runner.stats),
            "history": runner.stats.history,
            "exceptions": locust_state.dump_exceptions(runner),
        }

    def begin(self, run: Run, state: State) -> None:
        """Restore a checkpoint's state without yielding, and start to take over the workers."""
        self._done.clear()
        runner, load = self._runner, state["load"]
        self._former = load
        locust_state.restore_target_load(self._environment, runner, load)
        if state["statistics"]:
            locust_state.restore_statistics(runner.stats, state["statistics"])
        runner.stats.history = state["history"] or []
        locust_state.restore_exceptions(runner, state["exceptions"] or [])
        self._sequence.begin(run.id, state["receipts"])
        self._dispatch.weights.load(state["weights"])
        self._workers.loss_bound.load(state["losses"])
        # The previous version had neither of these.
        if "arrivals" in state:
            self._dispatch.arrivals.load(state["arrivals"])
        self._workers.class_settings.load(state.get("user_settings", {}))
        runner.spawning_completed = False
        runner.state = STATE_RUNNING
        self._recorder.event(LEADER_CHANGED, {"leader": self._name})
        gevent.spawn(vital("takeover", self._go_on, lambda: True, self._note_failure), run, load)

    def _note_failure(self, error: BaseException | None) -> None:
        if self._checkpoints is not None and error is not None:
            self._checkpoints.note_failure(error)

    def _go_on(self, run: Run, load: Any) -> None:
        self._carry_on(run, load)
        if self._checkpoints is not None:
            self._checkpoints.clear_failures()

    def _carry_on(self, run: Run, load: Any) -> None:
        began, users = time.monotonic(), 0
        try:
            known, missing = set(load["workers"]), set(load.get("missing", ()))
            if self._wait_for_workers(known, missing):
                self._expect_missing(known | missing)
                users = self._take_over_users(load)
            else:
                self._recorder.stopped_by = self._recorder.stopped_by or "loss of every worker"
        finally:
            self._done.set()
        asked_to_stop = load["state"] == STATE_STOPPING or self._recorder.stopped_by
        if asked_to_stop or (run.ends_at and run.ends_at <= utc_now()):
            logger.info("run %s has ended by its time or a stop; the master closes it", run.id)
            self._runner.stop()
            return
        logger.info(
            "the master continues run %s after %.1f s: %d workers, %d of %d users",
            *(run.id, time.monotonic() - began, self._runner.worker_count, users, load["users"]),
        )
        self._plan_end(run)
        if load["shape_began"] is not None and self._environment.shape_class:
            self._follow_shape(time.time() - load["shape_began"])
        elif users != load["users"] and self._runner._users_dispatcher is not None:
            self._runner.state = STATE_SPAWNING
            self._runner.start(load["users"], load["spawn_rate"])
        else:
            self._runner.spawning_completed = True

    def _wait_for_workers(self, known: set[str], missing: set[str]) -> bool:
        """Wait for the previous leader's workers; return whether at least one is connected.

        For all known ones as long as a heartbeat may be late, then longer for any one. If it had no
        connected workers, wait for the missing ones. New workers do not count: a run ends with the
        loss of all its workers, and restarting the stack must not load the target again.
        """
        clients, beat_s = self._runner.clients, runners.HEARTBEAT_INTERVAL
        began = time.monotonic()
        all_by, one_by = (
            began + runners.HEARTBEAT_LIVENESS * beat_s,
            began + NO_WORKER_BEATS * beat_s,
        )
        while not (known or missing) <= set(clients) and time.monotonic() < all_by:
            gevent.sleep(POLL_INTERVAL_S)
        self._workers.roster.expect(known)
        while not (known | missing) & set(clients) and time.monotonic() < one_by:
            gevent.sleep(POLL_INTERVAL_S)
        return bool((known | missing) & set(clients))

    def _expect_missing(self, known: set[str]) -> None:
        """Add workers that have not connected as missing: they may return with reports."""
        clients = self._runner.clients
        for worker in known - set(clients):
            clients[worker] = WorkerNode(worker, STATE_MISSING, heartbeat_liveness=0)

    def _take_over_users(self, load: Any) -> int:
        """Plan from the users that workers run; return how many these are. Does not yield."""
        runner = self._runner
        dispatcher = self._environment.dispatcher_class(
            worker_nodes=list(runner.clients.values()), user_classes=runner.user_classes
        )
        assert isinstance(dispatcher, PacedDispatcher)
        dispatcher.adopt(self._workers.registry.users, load["users"], load["spawn_rate"])
        runner._users_dispatcher = dispatcher
        runner.target_user_classes_count = users_by_class(dispatcher.users())
        return dispatcher.get_current_user_count()

    def _plan_end(self, run: Run) -> None:
        if run.ends_at is None or self._web_ui is None:
            return
        left_s = (run.ends_at - utc_now()).total_seconds()
        # In the place of the UI's own timer, so that a change there replaces this one.
        self._web_ui._run_time_greenlet = gevent.spawn_later(left_s, self._web_ui._stop_runners)

    def _follow_shape(self, run_for_s: float) -> None:
        runner, shape = self._runner, self._environment.shape_class
        assert shape is not None
        shape.start_time = time.perf_counter() - run_for_s
        runner.shape_greenlet = runner.greenlet.spawn(runner.shape_worker)
