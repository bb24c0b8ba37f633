"""Put the parts of a master together once Locust has a runner; many depend on their order."""

from __future__ import annotations

from locust import runners
from locust.env import Environment
from locust.runners import WORKER_REPORT_INTERVAL, MasterRunner
from locust.web import WebUI

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import gevent
from gevent.event import Event

from locust_fleet.data.client import DataClient
from locust_fleet.data.in_process_store import InProcessStore
from locust_fleet.data.redis_store import RedisStore
from locust_fleet.data.remote_store import RemoteStoreServer
from locust_fleet.data.store import EXPIRY_S, Store
from locust_fleet.locust_patches.patch import replace
from locust_fleet.master.admission.gate import guard_start
from locust_fleet.master.diagnostics import Diagnostics
from locust_fleet.master.dispatch.arrivals import ArrivalPlanner
from locust_fleet.master.dispatch.rebalancer import Rebalancer
from locust_fleet.master.dispatch.weights import Weights
from locust_fleet.master.failover.checkpointer import Checkpointer
from locust_fleet.master.failover.resume import Resume
from locust_fleet.master.failover.stepdown import StepDown
from locust_fleet.master.failover.takeover import Takeover
from locust_fleet.master.lifecycle import keep, measure, record
from locust_fleet.master.metrics.arrivals import ArrivalMetrics
from locust_fleet.master.metrics.counters import EndpointCounters
from locust_fleet.master.metrics.exporter import MasterMetrics, standby_metrics
from locust_fleet.master.reports.acknowledge import Acknowledger
from locust_fleet.master.reports.decode import ReportDecoder
from locust_fleet.master.reports.sequence import ReportSequence
from locust_fleet.master.results.dead_letters import DeadLetters
from locust_fleet.master.results.recorder import Recorder
from locust_fleet.master.results.sampler import cut_forever
from locust_fleet.master.results.shipper import Shipper
from locust_fleet.master.results.spool import Spool
from locust_fleet.master.stop_sequence import make_stop_final
from locust_fleet.master.web import MasterWeb
from locust_fleet.master.workers.class_settings import ClassSettings
from locust_fleet.master.workers.loss_bound import LossBound
from locust_fleet.master.workers.registry import WorkerRegistry
from locust_fleet.master.workers.roster import Roster
from locust_fleet.master.workers.totals import WorkerTotals
from locust_fleet.protocol.drop_counter import DropCounter
from locust_fleet.protocol.messages import NUMBER
from locust_fleet.protocol.validation import Unreadable
from locust_fleet.runtime import log_context
from locust_fleet.runtime.gc import settle
from locust_fleet.runtime.loops import vital
from locust_fleet.runtime.safe_listener import safe_listener
from locust_fleet.settings.master import MasterSettings

# The event of a run that says what may be lost with a worker (workers/loss_bound.py).
LOST = "worker lost"
# The same for a report that cannot be read.
REPORT_LOST = "report lost"


class MasterApp:
    """A master of the fleet, from before Locust starts; it leads once it has a runner."""

    def __init__(self, settings: MasterSettings) -> None:
        self._settings = settings
        self._runner: MasterRunner | None = None
        self._recorder: Recorder | None = None
        # Set as soon as this process ends in order.
        self._ending = Event()
        self._dropped = DropCounter()
        self._letters = DeadLetters(settings.spool_dir)
        self.takeover = Takeover(settings, self._dropped, self._letters)
        self._store: Store = RedisStore(settings.redis) if settings.redis else InProcessStore()
        # For a locustfile that does something on the master, as its own listener of test_start.
        self.desk = DataClient(self._store, self._run_id, lambda: "", EXPIRY_S)
        # What answers Prometheus.
        self.render: Callable[[], Iterator[bytes]] = standby_metrics(settings.version)
        # Set when all of it is put together.
        self.ready = Event()

    def known(self) -> Mapping[str, str]:
        """Return what each line of the log says of the run and of who asks."""
        run = self._recorder.active if self._recorder else None
        return {**(run.known() if run else {}), **log_context.log_context()}

    def readiness(self) -> tuple[bool, dict[str, Any]]:
        """Say whether this master leads or stands by."""
        if self._runner is None:
            return self.takeover.readiness()
        return True, {"role": "leader", "workers": self._runner.worker_count}

    def ends(self) -> bool:
        """Whether this process ends in order."""
        return self._ending.is_set()

    def init(
        self, environment: Environment, runner: MasterRunner, web_ui: WebUI | None, **_: Any
    ) -> None:
        """Put the parts together; a listener of ``init``. Locust ends when it raises."""
        settings, self._runner = self._settings, runner
        reign, state = self.takeover.reign, self.takeover.state
        checkpoints = self.takeover.checkpoints
        spool = Spool(settings.spool_dir)
        with self.takeover.reading():
            recorder = Recorder(
                spool,
                settings.version,
                state["recorder"] if state else None,
                hold=checkpoints is not None,
            )
        self._recorder = recorder
        intake = ReportDecoder(runner.stats, settings.max_names)
        intake.attach(environment)
        weights = Weights(settings.dispatch.way, settings.dispatch.max_users_per_worker)
        balance = Rebalancer(runner, weights, settings.dispatch.rebalance_interval_s)
        arrived = ArrivalMetrics(runner.stats, settings.max_names)
        arrived.attach(environment)
        problems = Diagnostics(
            settings.spool_dir,
            intake.problems,
            balance.problems,
            spool.problems,
            arrived.problems,
            self._letters.problems,
        )
        shipper = Shipper(spool, settings, reign)
        wait_for_workers = make_stop_final(runner, web_ui)
        losses = LossBound(WORKER_REPORT_INTERVAL, settings.heartbeat.timeout_s)
        tallies = WorkerTotals()
        attendance = Roster(lambda worker: recorder.event(LOST, losses.bound(worker)))
        counts = EndpointCounters(settings.max_names)
        receipts = ReportSequence()
        reception = Acknowledger(runner, receipts, self._lose_report)
        reception.attach()
        user_settings = ClassSettings(environment, runner)
        user_settings.attach()
        presence = WorkerRegistry(
            runner, attendance, self._run_id, reception.want, user_settings.tell
        )
        presence.attach()
        arrivals = ArrivalPlanner(environment, runner, self._run_id, balance.told_of_classes)
        arrivals.attach()
        resume = Resume(
            environment,
            runner,
            web_ui,
            recorder,
            receipts,
            presence,
            attendance,
            weights,
            losses,
            arrivals,
            user_settings,
            settings.name,
            checkpoints,
        )
        keeper = Checkpointer(checkpoints, resume.state, recorder, receipts, reception)
        reign.on_rise = keeper.touch
        handover = StepDown(runner, recorder, keeper, reign)
        metrics = MasterMetrics(
            runner,
            recorder,
            spool,
            counts,
            attendance,
            settings.thresholds,
            settings.version,
            lambda: intake.over_limit,
            lambda: balance.over_capacity,
            arrived.render,
            self._dropped,
        )
        self.render = metrics.render
        measure(environment, counts, attendance, weights, losses, tallies)
        balance.attach(environment)
        # What comes later would be outside of it.
        replace(runner, "handle_message", self._dropped.outlive(runner.handle_message))
        guard_start(environment, runner, recorder, keeper, settings.targets)
        RemoteStoreServer(runner, self._store).attach()
        record(
            environment,
            runner,
            recorder,
            shipper,
            settings.reports_dir,
            keeper,
            handover,
            self.desk,
            wait_for_workers,
        )
        keep(environment, recorder, receipts, reception, keeper)
        if web_ui and web_ui.app:

            def work_of(worker: str) -> dict[str, int]:
                requests, failures = tallies.of(worker)
                planned = balance.planned(worker)
                return {"planned": planned, "requests": requests, "failures": failures}

            front = MasterWeb(
                environment, runner, recorder, settings, problems, spool, resume, work_of
            )
            front.attach(web_ui.app)
        environment.events.quitting.add_listener(lambda **_: self._ending.set())
        self._watch("workers", balance.watch)
        self._watch("users", balance.move)
        self._watch("attendance", lambda: _look(metrics, balance, losses))
        self._watch("samples", lambda: cut_forever(runner, recorder, problems))
        self._watch("results", shipper.run_forever)
        self._watch("checkpoints", keeper.run_forever)
        if state and recorder.active:
            with self.takeover.reading():
                resume.begin(recorder.active, state)
        elif checkpoints is not None:
            checkpoints.absolve()
        settle()
        self.ready.set()

    def _watch(self, name: str, loop: Callable[[], None]) -> None:
        gevent.spawn(vital(name, loop, self.ends))

    def _lose_report(self, worker: str, report: Mapping[str, Any], error: Unreadable) -> None:
        """Count, keep and tell of a report that cannot be read: what it counted is lost."""
        self._dropped.note(error.cause, f"a report of {worker}: {error}")
        # One that has no number is of no run.
        if NUMBER not in report or self._recorder is None:
            return
        self._recorder.event(REPORT_LOST, {"worker": worker, "number": report[NUMBER]})
        self._letters.put("report", repr(report).encode(), f"of {worker}: {error}")

    def _run_id(self) -> str | None:
        run = self._recorder.active if self._recorder else None
        return run.id if run else None


def _look(metrics: MasterMetrics, balance: Rebalancer, losses: LossBound) -> None:
    """See each heartbeat which workers are there, and what they have to do."""
    while True:
        gevent.sleep(runners.HEARTBEAT_INTERVAL)
        safe_listener(losses.tell)(balance.told())
        safe_listener(metrics.look)()
