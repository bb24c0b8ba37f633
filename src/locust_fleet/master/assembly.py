"""The rooms of a master: one function makes the parts of each."""

from __future__ import annotations

from locust.runners import WORKER_REPORT_INTERVAL

from collections.abc import Callable, Mapping
from typing import Any

from locust_fleet.master.admission.gate import StartGate
from locust_fleet.master.diagnostics import Diagnostics
from locust_fleet.master.dispatch.arrival_planner import ArrivalPlanner
from locust_fleet.master.dispatch.rebalancer import Rebalancer
from locust_fleet.master.dispatch.weights import Weights
from locust_fleet.master.failover.checkpointer import Checkpointer
from locust_fleet.master.failover.parts import Failover
from locust_fleet.master.failover.resume import Resume
from locust_fleet.master.failover.stepdown import StepDown
from locust_fleet.master.failover.takeover import Takeover
from locust_fleet.master.metrics.arrival_metrics import ArrivalMetrics
from locust_fleet.master.metrics.counters import EndpointCounters
from locust_fleet.master.parts import Control, Counts, Dispatch, Locust, Reports, Results, Workers
from locust_fleet.master.reports.acknowledge import Acknowledger
from locust_fleet.master.reports.decode import ReportDecoder
from locust_fleet.master.reports.sequence import ReportSequence
from locust_fleet.master.results.recorder import Recorder
from locust_fleet.master.results.shipper import Shipper
from locust_fleet.master.results.spool import Spool
from locust_fleet.master.runner import MasterRunnerParts
from locust_fleet.master.stop_sequence import StopSequence
from locust_fleet.master.web import MasterWeb
from locust_fleet.master.workers.class_settings import ClassSettings
from locust_fleet.master.workers.loss_bound import LossBound
from locust_fleet.master.workers.registry import WorkerRegistry
from locust_fleet.master.workers.roster import Roster
from locust_fleet.master.workers.totals import WorkerTotals
from locust_fleet.protocol.drop_counter import DropCounter
from locust_fleet.protocol.message_validation import Unreadable
from locust_fleet.settings.master import MasterSettings

# The event of a run that bounds what is lost with a worker (workers/loss_bound.py).
WORKER_LOST = "worker lost"


def results(settings: MasterSettings, takeover: Takeover) -> Results:
    """Build what keeps samples and events; raises where the checkpoint cannot be used."""
    spool = Spool(settings.spool_dir)
    with takeover.reading_checkpoint() as state:
        recorder = Recorder(
            spool,
            settings.version,
            state["recorder"] if state else None,
            hold=takeover.checkpoints is not None,
        )
    return Results(spool, recorder, Shipper(spool, settings, takeover.leadership))


def reports(
    settings: MasterSettings,
    locust: Locust,
    record_lost_report: Callable[[str, Mapping[str, Any], Unreadable], None],
) -> Reports:
    """Build what takes in the reports of workers, each once and in order."""
    sequence = ReportSequence()
    return Reports(
        sequence,
        Acknowledger(locust.runner, sequence, record_lost_report),
        ReportDecoder(locust.runner.stats, settings.max_names),
    )


def workers(
    settings: MasterSettings, locust: Locust, results: Results, reports: Reports
) -> Workers:
    """Build what knows the workers; the runner tells the registry of their messages."""
    loss_bound = LossBound(WORKER_REPORT_INTERVAL, settings.heartbeat.timeout_s)
    roster = Roster(lambda worker: results.recorder.event(WORKER_LOST, loss_bound.bound(worker)))
    class_settings = ClassSettings(locust.environment, locust.runner)
    class_settings.attach()
    registry = WorkerRegistry(
        locust.runner,
        roster,
        results.run_id,
        reports.acknowledger.request_missing,
        class_settings.send_to,
    )
    registry.attach()
    return Workers(roster, registry, class_settings, loss_bound, WorkerTotals())


def dispatch(settings: MasterSettings, locust: Locust, results: Results) -> Dispatch:
    """Build what decides which worker runs which users."""
    weights = Weights(settings.dispatch.way, settings.dispatch.max_users_per_worker)
    rebalancer = Rebalancer(locust.runner, weights, settings.dispatch.rebalance_interval_s)
    rebalancer.attach(locust.environment)
    arrivals = ArrivalPlanner(
        locust.environment, locust.runner, results.run_id, rebalancer.assigned_by_class
    )
    arrivals.attach()
    return Dispatch(weights, rebalancer, arrivals)


def counts(settings: MasterSettings, locust: Locust) -> Counts:
    """Build what counts reports for Prometheus."""
    return Counts(
        EndpointCounters(settings.max_names),
        ArrivalMetrics(locust.runner.stats, settings.max_names),
    )


def failover(
    settings: MasterSettings,
    takeover: Takeover,
    locust: Locust,
    results: Results,
    reports: Reports,
    workers: Workers,
    dispatch: Dispatch,
) -> Failover:
    """Build what lets the run go on under another master."""
    resume = Resume(
        locust, results, reports, workers, dispatch, settings.name, takeover.checkpoints
    )
    checkpointer = Checkpointer(
        takeover.checkpoints,
        resume.dump,
        results.recorder,
        reports.sequence,
        reports.acknowledger,
    )
    takeover.leadership.on_epoch_raised = checkpointer.mark_dirty
    stepdown = StepDown(locust.runner, results.recorder, checkpointer, takeover.leadership)
    return Failover(resume, checkpointer, stepdown)


def control(
    settings: MasterSettings, locust: Locust, results: Results, failover: Failover
) -> Control:
    """Build what stands before a start and a stop."""
    gate = StartGate(
        locust.environment,
        locust.runner,
        results.recorder,
        settings.targets,
        failover.checkpointer.mark_urgent,
    )
    gate.attach()
    return Control(gate, StopSequence(locust.runner, locust.web_ui))


def runner_parts(
    drops: DropCounter,
    reports: Reports,
    workers: Workers,
    dispatch: Dispatch,
    failover: Failover,
    control: Control,
) -> MasterRunnerParts:
    """Return the parts that the runner asks."""
    return MasterRunnerParts(
        drops,
        dispatch.rebalancer,
        workers.registry,
        reports.acknowledger,
        control.stop_sequence,
        reports.decoder,
        control.gate,
        failover.resume,
    )


def attach_web(
    settings: MasterSettings,
    locust: Locust,
    results: Results,
    workers: Workers,
    dispatch: Dispatch,
    failover: Failover,
    diagnostics: Diagnostics,
) -> None:
    """Hook onto Locust's web UI, where there is one."""
    if locust.web_ui is None or locust.web_ui.app is None:
        return

    def totals_of(worker: str) -> dict[str, int]:
        requests, failures = workers.totals.of(worker)
        planned = dispatch.rebalancer.planned(worker)
        return {"planned": planned, "requests": requests, "failures": failures}

    MasterWeb(
        locust.environment,
        locust.runner,
        results.recorder,
        settings,
        diagnostics,
        results.spool,
        failover.resume,
        totals_of,
    ).attach(locust.web_ui.app)
