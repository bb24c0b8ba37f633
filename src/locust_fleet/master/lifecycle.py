"""Tell the parts of a master of its runs: who is called when, from the start to the reports."""

from __future__ import annotations

from locust.env import Environment
from locust.runners import MasterRunner

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent

from locust_fleet.data.client import DataClient
from locust_fleet.data.summary import summed_up
from locust_fleet.master.admission.gate import tell_end
from locust_fleet.master.dispatch.weights import Weights
from locust_fleet.master.failover.checkpointer import Checkpointer
from locust_fleet.master.failover.stepdown import StepDown
from locust_fleet.master.metrics.counters import EndpointCounters
from locust_fleet.master.reports.acknowledge import Acknowledger
from locust_fleet.master.reports.sequence import ReportSequence
from locust_fleet.master.results.artifacts import write_reports
from locust_fleet.master.results.recorder import Recorder
from locust_fleet.master.results.run import Run, utc_now
from locust_fleet.master.results.sampler import cut
from locust_fleet.master.results.shipper import Shipper
from locust_fleet.master.web import hosts_of_users
from locust_fleet.master.workers.loss_bound import LossBound
from locust_fleet.master.workers.roster import Roster
from locust_fleet.master.workers.totals import WorkerTotals
from locust_fleet.policy.allowlist import without_credentials
from locust_fleet.protocol.messages import RUN_OPTION
from locust_fleet.runtime.safe_listener import safe_listener

# How long the last results may take to reach Postgres at the end; what is left stays spooled.
LAST_SHIPMENT_S = 5.0

logger = logging.getLogger(__name__)


def measure(
    environment: Environment,
    counts: EndpointCounters,
    attendance: Roster,
    weights: Weights,
    losses: LossBound,
    tallies: WorkerTotals,
) -> None:
    """Count for Prometheus what the workers report."""

    @safe_listener
    def test_start(**_: Any) -> None:
        counts.start_run()
        losses.start_run()
        tallies.start_run()
        attendance.forget_missing()

    @safe_listener
    def worker_report(client_id: str, data: dict[str, Any], **_: Any) -> None:
        counts.add(client_id, data, time.monotonic())
        losses.hear(client_id, data)
        tallies.add(client_id, data)

    @safe_listener
    def test_stop(**_: Any) -> None:
        attendance.forget_missing()
        weights.end_run()

    environment.events.test_start.add_listener(test_start)
    environment.events.worker_report.add_listener(worker_report)
    environment.events.test_stop.add_listener(test_stop)


def record(
    environment: Environment,
    runner: MasterRunner,
    recorder: Recorder,
    shipper: Shipper,
    reports_dir: Path,
    keeper: Checkpointer,
    handover: StepDown,
    desk: DataClient,
    wait_for_workers: Callable[[], None],
) -> None:
    """Follow a run from its start to its reports."""

    @safe_listener
    def test_start(**_: Any) -> None:
        options = environment.parsed_options
        run = recorder.start(
            locustfile=str(environment.locustfile),
            host=" ".join(
                sorted({without_credentials(host) for host in hosts_of_users(environment) if host})
            ),
            users=runner.target_user_count,
            spawn_rate=runner.spawn_rate,
            run_time_s=options.run_time if options else None,
            now=utc_now(),
        )
        setattr(options, RUN_OPTION, run.known())
        tell_end(environment, run)
        safe_listener(desk.open)(run.id)

    @safe_listener
    def worker_report(client_id: str, data: dict[str, Any], **_: Any) -> None:
        recorder.count(client_id, data)

    @safe_listener
    def test_stopping(**_: Any) -> None:
        if runner.worker_count == 0 and recorder.stopped_by is None:
            recorder.stopped_by = "loss of every worker"

    @safe_listener
    def test_stop(**_: Any) -> None:
        run = recorder.active
        if run is None:
            return
        wait_for_workers()
        # A master that was away, and is not the one any more, ends here and takes nothing along.
        safe_listener(keeper.save_now)()
        # Before the last sample: while Redis is asked, reports may come.
        safe_listener(_sum_up)(recorder, run, desk)
        # Whatever becomes of the last sample, the run is closed.
        safe_listener(cut)(runner, recorder)
        recorder.stop()
        write_reports(environment, reports_dir / run.id)

    @safe_listener
    def quitting(**_: Any) -> None:
        handover.leave()
        if recorder.active:
            recorder.stopped_by = recorder.stopped_by or "shutdown of the master"
            runner.stop()
        keeper.save_last()
        gevent.with_timeout(LAST_SHIPMENT_S, shipper.ship, timeout_value=None)

    environment.events.test_start.add_listener(test_start)
    environment.events.worker_report.add_listener(worker_report)
    environment.events.test_stopping.add_listener(test_stopping)
    environment.events.test_stop.add_listener(test_stop)
    # Called before Locust's own listener, which tells the workers to quit.
    environment.events.quitting.add_listener(quitting)


def keep(
    environment: Environment,
    recorder: Recorder,
    receipts: ReportSequence,
    reception: Acknowledger,
    keeper: Checkpointer,
) -> None:
    """Keep each change of a run; to be called after whoever opens and closes it."""

    @safe_listener
    def test_start(**_: Any) -> None:
        if recorder.active:
            receipts.begin(recorder.active.id)
            reception.begin()
            # Before there are any users, so that none can be without a run.
            keeper.save_now()

    @safe_listener
    def changed(**_: Any) -> None:
        keeper.touch()

    @safe_listener
    def decided(**_: Any) -> None:
        keeper.touch_at_once()

    environment.events.test_start.add_listener(test_start)
    environment.events.worker_report.add_listener(changed)
    environment.events.test_stopping.add_listener(decided)
    environment.events.test_stop.add_listener(decided)


def _sum_up(recorder: Recorder, run: Run, desk: DataClient) -> None:
    """Note what became of the shared data, where somebody used any."""
    closed = desk.store.close(run.id)
    if lines := summed_up(closed):
        logger.info("shared data of run %s: %s", run.id, json.dumps(closed))
        recorder.event("shared data", lines)
