"""Build the parts of a master, one function per folder."""

from __future__ import annotations

from locust import runners
from locust.env import Environment
from locust.rpc import zmqrpc
from locust.runners import (
    STATE_RUNNING,
    STATE_SPAWNING,
    WORKER_REPORT_INTERVAL,
    MasterRunner,
    Runner,
)
from locust.web import WebUI

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import gevent
from gevent.event import Event

from locust_fleet.data.client import DataClient
from locust_fleet.data.in_process_store import InProcessStore
from locust_fleet.data.redis_store import RedisStore
from locust_fleet.data.remote_store import RemoteStoreServer
from locust_fleet.data.store import EXPIRY_S, Store
from locust_fleet.locust_patches.patch import replace
from locust_fleet.master.admission.gate import StartGate
from locust_fleet.master.diagnostics import Diagnostics
from locust_fleet.master.dispatch.arrivals import ArrivalPlanner
from locust_fleet.master.dispatch.rebalancer import Rebalancer
from locust_fleet.master.dispatch.weights import Weights
from locust_fleet.master.failover.checkpointer import Checkpointer
from locust_fleet.master.failover.parts import Failover
from locust_fleet.master.failover.resume import Resume
from locust_fleet.master.failover.stepdown import StepDown
from locust_fleet.master.failover.takeover import Takeover
from locust_fleet.master.lifecycle import MasterLifecycle
from locust_fleet.master.metrics.arrivals import ArrivalMetrics
from locust_fleet.master.metrics.counters import EndpointCounters
from locust_fleet.master.metrics.exporter import MasterMetrics, standby_metrics
from locust_fleet.master.parts import Control, Counts, Dispatch, Locust, Reports, Results, Workers
from locust_fleet.master.reports.acknowledge import Acknowledger
from locust_fleet.master.reports.decode import ReportDecoder
from locust_fleet.master.reports.sequence import ReportSequence
from locust_fleet.master.results.dead_letters import DeadLetters
from locust_fleet.master.results.recorder import Recorder
from locust_fleet.master.results.sampler import close_samples_forever
from locust_fleet.master.results.shipper import Shipper
from locust_fleet.master.results.spool import Spool
from locust_fleet.master.runner import FleetMasterRunner, MasterRunnerParts
from locust_fleet.master.server import FleetServer
from locust_fleet.master.stop_sequence import StopSequence
from locust_fleet.master.web import MasterWeb
from locust_fleet.master.workers.class_settings import ClassSettings
from locust_fleet.master.workers.loss_bound import LossBound
from locust_fleet.master.workers.registry import WorkerRegistry
from locust_fleet.master.workers.roster import Roster
from locust_fleet.master.workers.totals import WorkerTotals
from locust_fleet.protocol.drop_counter import DropCounter
from locust_fleet.protocol.messages import NUMBER
from locust_fleet.protocol.validation import Unreadable
from locust_fleet.runtime.gc import settle
from locust_fleet.runtime.log_context import log_context
from locust_fleet.runtime.loops import vital
from locust_fleet.runtime.safe_listener import safe_listener
from locust_fleet.settings.master import MasterSettings

# The event of a run that bounds what is lost with a worker (workers/loss_bound.py).
WORKER_LOST = "worker lost"
# The event of a run for a report that the master cannot read.
REPORT_LOST = "report lost"


class MasterApp:
    """A master of the fleet. It is made before Locust starts, and leads once it has a runner."""

    def __init__(self, settings: MasterSettings) -> None:
        self._settings = settings
        self._runner: MasterRunner | None = None
        self._results: Results | None = None
        # Set as soon as this process shuts down in order.
        self._ending = Event()
        self._drops = DropCounter()
        self._letters = DeadLetters(settings.spool_dir)
        self.takeover = Takeover(settings, self._letters)
        self._store: Store = RedisStore(settings.redis) if settings.redis else InProcessStore()
        # For code of a locustfile that runs on the master, such as a listener of test_start.
        self.data_client = DataClient(self._store, self._run_id, lambda: "", EXPIRY_S)
        # Makes the text of a scrape.
        self.render: Callable[[], Iterator[bytes]] = standby_metrics(settings.version)

    def log_context(self) -> Mapping[str, str]:
        """Return the fields of each log line about the run and the request that is served."""
        run = self._results.recorder.active if self._results else None
        return {**(run.log_context() if run else {}), **log_context()}

    def readiness(self) -> tuple[bool, dict[str, Any]]:
        """Return whether this master is ready, and its role for /health."""
        if self._runner is None:
            return self.takeover.readiness()
        return True, {"role": "leader", "workers": self._runner.worker_count}

    def is_ending(self) -> bool:
        """Whether this process shuts down in order."""
        return self._ending.is_set()

    def create_runner(self, environment: Environment, host: str, port: int) -> MasterRunner:
        """Wait until this master leads; return a runner that listens at this host and port."""
        self.takeover.wait(host, port)
        server = functools.partial(
            FleetServer,
            leadership=self.takeover.leadership,
            drops=self._drops,
            in_a_run=lambda: _is_in_a_run(environment.runner),
        )
        replace(zmqrpc, "Server", server)
        make_runner = functools.partial(FleetMasterRunner, ends_in_order=self.is_ending)
        return cast(MasterRunner, environment._create_runner(cast(Any, make_runner), host, port))

    def init(
        self, environment: Environment, runner: FleetMasterRunner, web_ui: WebUI | None, **_: Any
    ) -> None:
        """Build the parts; a listener of ``init``. Locust ends this process when it raises."""
        settings, takeover = self._settings, self.takeover
        self._runner = runner
        locust = Locust(environment, runner, web_ui)
        self._results = results = _results(settings, takeover)
        reports = _reports(settings, locust, self._record_lost_report)
        workers = _workers(settings, locust, results, reports)
        dispatch = _dispatch(settings, locust, results)
        counts = _counts(settings, locust)
        failover = _failover(settings, takeover, locust, results, reports, workers, dispatch)
        control = _control(settings, locust, results, failover)
        runner.attach_parts(
            _runner_parts(self._drops, reports, workers, dispatch, failover, control)
        )
        RemoteStoreServer(runner, self._store).attach()
        MasterLifecycle(
            locust,
            results,
            reports,
            workers,
            dispatch,
            counts,
            failover,
            control,
            self.data_client,
            settings.reports_dir,
        ).attach()
        diagnostics = self._diagnostics(results, reports, dispatch, counts)
        _attach_web(settings, locust, results, workers, dispatch, failover, diagnostics)
        metrics = self._metrics(locust, results, reports, workers, dispatch, counts)
        self.render = metrics.render
        environment.events.quitting.add_listener(lambda **_: self._ending.set())
        for name, loop in (
            ("workers", dispatch.rebalancer.watch),
            ("users", dispatch.rebalancer.move),
            ("roster", lambda: _update_roster_forever(metrics, dispatch, workers)),
            ("samples", lambda: close_samples_forever(runner, results.recorder, diagnostics)),
            ("results", results.shipper.run_forever),
            ("checkpoints", failover.checkpointer.run_forever),
        ):
            gevent.spawn(vital(name, loop, self.is_ending))
        takeover.resume(failover.resume, results.recorder.active)
        settle()
        runner.listen()

    def _diagnostics(
        self, results: Results, reports: Reports, dispatch: Dispatch, counts: Counts
    ) -> Diagnostics:
        return Diagnostics(
            self._settings.spool_dir,
            reports.decoder.diagnostics,
            dispatch.rebalancer.diagnostics,
            results.spool.diagnostics,
            counts.arrivals.diagnostics,
            self._letters.diagnostics,
        )

    def _metrics(
        self,
        locust: Locust,
        results: Results,
        reports: Reports,
        workers: Workers,
        dispatch: Dispatch,
        counts: Counts,
    ) -> MasterMetrics:
        return MasterMetrics(
            locust.runner,
            results.recorder,
            results.spool,
            counts.endpoints,
            workers.roster,
            self._settings.thresholds,
            self._settings.version,
            lambda: reports.decoder.over_limit,
            lambda: dispatch.rebalancer.over_capacity,
            counts.arrivals.render,
            self._drops,
        )

    def _record_lost_report(
        self, worker: str, report: Mapping[str, Any], error: Unreadable
    ) -> None:
        """Record that a report is unreadable, so that its counts are lost, and keep its bytes."""
        self._drops.note(error.cause, f"a report of {worker}: {error}")
        # A report without a number belongs to no run.
        if NUMBER not in report or self._results is None:
            return
        self._results.recorder.event(REPORT_LOST, {"worker": worker, "number": report[NUMBER]})
        self._letters.put("report", repr(report).encode(), f"of {worker}: {error}")

    def _run_id(self) -> str | None:
        return self._results.run_id() if self._results else None


def _results(settings: MasterSettings, takeover: Takeover) -> Results:
    spool = Spool(settings.spool_dir)
    with takeover.reading_checkpoint() as state:
        recorder = Recorder(
            spool,
            settings.version,
            state["recorder"] if state else None,
            hold=takeover.checkpoints is not None,
        )
    return Results(spool, recorder, Shipper(spool, settings, takeover.leadership))


def _reports(
    settings: MasterSettings,
    locust: Locust,
    record_lost_report: Callable[[str, Mapping[str, Any], Unreadable], None],
) -> Reports:
    sequence = ReportSequence()
    return Reports(
        sequence,
        Acknowledger(locust.runner, sequence, record_lost_report),
        ReportDecoder(locust.runner.stats, settings.max_names),
    )


def _workers(
    settings: MasterSettings, locust: Locust, results: Results, reports: Reports
) -> Workers:
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


def _dispatch(settings: MasterSettings, locust: Locust, results: Results) -> Dispatch:
    weights = Weights(settings.dispatch.way, settings.dispatch.max_users_per_worker)
    rebalancer = Rebalancer(locust.runner, weights, settings.dispatch.rebalance_interval_s)
    rebalancer.attach(locust.environment)
    arrivals = ArrivalPlanner(
        locust.environment, locust.runner, results.run_id, rebalancer.assigned_by_class
    )
    arrivals.attach()
    return Dispatch(weights, rebalancer, arrivals)


def _counts(settings: MasterSettings, locust: Locust) -> Counts:
    return Counts(
        EndpointCounters(settings.max_names),
        ArrivalMetrics(locust.runner.stats, settings.max_names),
    )


def _failover(
    settings: MasterSettings,
    takeover: Takeover,
    locust: Locust,
    results: Results,
    reports: Reports,
    workers: Workers,
    dispatch: Dispatch,
) -> Failover:
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


def _control(
    settings: MasterSettings, locust: Locust, results: Results, failover: Failover
) -> Control:
    gate = StartGate(
        locust.environment,
        locust.runner,
        results.recorder,
        settings.targets,
        failover.checkpointer.mark_urgent,
    )
    gate.attach()
    return Control(gate, StopSequence(locust.runner, locust.web_ui))


def _runner_parts(
    drops: DropCounter,
    reports: Reports,
    workers: Workers,
    dispatch: Dispatch,
    failover: Failover,
    control: Control,
) -> MasterRunnerParts:
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


def _attach_web(
    settings: MasterSettings,
    locust: Locust,
    results: Results,
    workers: Workers,
    dispatch: Dispatch,
    failover: Failover,
    diagnostics: Diagnostics,
) -> None:
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


def _is_in_a_run(runner: Runner | None) -> bool:
    return runner is not None and runner.state in (STATE_RUNNING, STATE_SPAWNING)


def _update_roster_forever(metrics: MasterMetrics, dispatch: Dispatch, workers: Workers) -> None:
    """Note once per heartbeat which workers are connected, and the users that they are assigned."""
    while True:
        gevent.sleep(runners.HEARTBEAT_INTERVAL)
        safe_listener(workers.loss_bound.assign)(dispatch.rebalancer.assigned())
        safe_listener(metrics.update_roster)()
