"""The hooks of a run on a master, in their order: start, report, stopping, stop, quitting."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gevent

from locust_fleet.data.client import DataClient
from locust_fleet.data.summary import summed_up
from locust_fleet.master.admission.gate import hosts_of_users, set_run_end
from locust_fleet.master.failover.parts import Failover
from locust_fleet.master.parts import (
    Control,
    Counts,
    Dispatch,
    Locust,
    Reports,
    Results,
    Workers,
)
from locust_fleet.master.reports.decode import split_twins
from locust_fleet.master.results.artifacts import write_reports
from locust_fleet.master.results.run import Run, utc_now
from locust_fleet.master.results.sampler import close_sample
from locust_fleet.policy.allowlist import without_credentials
from locust_fleet.protocol.messages import RUN_OPTION
from locust_fleet.runtime.hooks import in_order
from locust_fleet.runtime.safe_listener import safe_listener

# Seconds for the last results to reach Postgres at the end; the rest stays in the spool.
LAST_SHIPMENT_S = 5.0

ReportData = dict[str, Any]

logger = logging.getLogger(__name__)


class MasterLifecycle:
    """Calls the parts of a master when a run starts, reports, stops or ends with the process."""

    def __init__(
        self,
        locust: Locust,
        results: Results,
        reports: Reports,
        workers: Workers,
        dispatch: Dispatch,
        counts: Counts,
        failover: Failover,
        control: Control,
        data_client: DataClient,
        artifacts_dir: Path,
    ) -> None:
        self._environment = locust.environment
        self._runner = locust.runner
        self._results = results
        self._reports = reports
        self._workers = workers
        self._dispatch = dispatch
        self._counts = counts
        self._checkpointer = failover.checkpointer
        self._stepdown = failover.stepdown
        self._stop_sequence = control.stop_sequence
        self._data_client = data_client
        self._artifacts_dir = artifacts_dir

    def attach(self) -> None:
        """Start to call the hooks on events of this environment."""
        events = self._environment.events
        events.test_start.add_listener(in_order(self.at_start))
        events.worker_report.add_listener(in_order(self.report_sinks, "client_id", "data"))
        events.test_stopping.add_listener(in_order(self.at_stopping))
        events.test_stop.add_listener(in_order(self.at_stop))
        # Runs before Locust's own listener, which makes the workers quit.
        events.quitting.add_listener(in_order((self._quit,)))

    @property
    def at_start(self) -> tuple[Callable[[], None], ...]:
        """The hooks of a start."""
        return (
            self._counts.arrivals.start_run,
            self._counts.endpoints.start_run,
            self._workers.loss_bound.start_run,
            self._workers.totals.start_run,
            self._workers.roster.forget_missing,
            self._open_run,
            self._save_start,
        )

    @property
    def report_sinks(self) -> tuple[Callable[[str, ReportData], None], ...]:
        """The readers of a worker's report, after Locust and the locustfile."""
        return (
            split_twins,
            _with_clock(self._counts.arrivals.add),
            _with_clock(self._counts.endpoints.add),
            self._workers.loss_bound.note_report,
            self._workers.totals.add,
            self._dispatch.rebalancer.note_report,
            self._results.recorder.count,
            lambda *_: self._checkpointer.mark_dirty(),
        )

    @property
    def at_stopping(self) -> tuple[Callable[[], None], ...]:
        """The hooks of a run that is about to stop."""
        return (self._note_worker_loss, self._checkpointer.mark_urgent)

    @property
    def at_stop(self) -> tuple[Callable[[], None], ...]:
        """The hooks of a run that has stopped."""
        return (
            self._workers.roster.forget_missing,
            self._dispatch.weights.end_run,
            self._close_run,
            self._checkpointer.mark_urgent,
        )

    def _open_run(self) -> None:
        environment, runner = self._environment, self._runner
        options = environment.parsed_options
        hosts = {without_credentials(host) for host in hosts_of_users(environment) if host}
        run = self._results.recorder.start(
            locustfile=str(environment.locustfile),
            host=" ".join(sorted(hosts)),
            users=runner.target_user_count,
            spawn_rate=runner.spawn_rate,
            run_time_s=options.run_time if options else None,
            now=utc_now(),
        )
        setattr(options, RUN_OPTION, run.log_context())
        set_run_end(environment, run)
        safe_listener(self._data_client.open)(run.id)

    def _save_start(self) -> None:
        run = self._results.recorder.active
        if run:
            self._reports.sequence.begin(run.id)
            self._reports.acknowledger.begin()
            # Before any user starts, so that a new leader knows the run of every user.
            self._checkpointer.save_now()

    def _note_worker_loss(self) -> None:
        recorder = self._results.recorder
        if self._runner.worker_count == 0 and recorder.stopped_by is None:
            recorder.stopped_by = "loss of every worker"

    def _close_run(self) -> None:
        recorder = self._results.recorder
        run = recorder.active
        if run is None:
            return
        self._stop_sequence.wait_for_workers()
        # A former leader that was asleep ends here, before it can write results.
        safe_listener(self._checkpointer.save_now)()
        # Before the last sample, because reports may arrive while Redis answers.
        safe_listener(self._record_data_summary)(run)
        # The run closes even if the last sample fails.
        safe_listener(close_sample)(self._runner, recorder)
        recorder.stop()
        write_reports(self._environment, self._artifacts_dir / run.id)

    def _record_data_summary(self, run: Run) -> None:
        """Close the shared data of a run, and record its summary if the run used any."""
        closed: Mapping[str, Any] = self._data_client.store.close(run.id)
        if lines := summed_up(closed):
            logger.info("shared data of run %s: %s", run.id, json.dumps(closed))
            self._results.recorder.event("shared data", lines)

    def _quit(self) -> None:
        self._stepdown.hand_over()
        recorder = self._results.recorder
        if recorder.active:
            recorder.stopped_by = recorder.stopped_by or "shutdown of the master"
            self._runner.stop()
        self._checkpointer.save_last()
        gevent.with_timeout(LAST_SHIPMENT_S, self._results.shipper.ship, timeout_value=None)


def _with_clock(add: Callable[[str, ReportData, float], None]) -> Callable[[str, ReportData], None]:
    """Return a sink that adds a report with the present time in monotonic seconds."""
    return lambda worker, report: add(worker, report, time.monotonic())
