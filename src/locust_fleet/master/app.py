"""Build the parts of a master, one function per folder."""

from __future__ import annotations

from locust import runners
from locust.env import Environment
from locust.rpc import zmqrpc
from locust.runners import (
    STATE_RUNNING,
    STATE_SPAWNING,
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
from locust_fleet.master import assembly
from locust_fleet.master.diagnostics import Diagnostics
from locust_fleet.master.failover.takeover import Takeover
from locust_fleet.master.lifecycle import MasterLifecycle
from locust_fleet.master.metrics.exporter import MasterMetrics, standby_metrics
from locust_fleet.master.parts import Counts, Dispatch, Locust, Reports, Results, Workers
from locust_fleet.master.results.dead_letters import DeadLetters
from locust_fleet.master.results.sampler import close_samples_forever
from locust_fleet.master.runner import FleetMasterRunner
from locust_fleet.master.server import FleetServer
from locust_fleet.protocol.drop_counter import DropCounter
from locust_fleet.protocol.message_validation import Unreadable
from locust_fleet.protocol.messages import NUMBER
from locust_fleet.runtime.gc import settle
from locust_fleet.runtime.log_context import log_context
from locust_fleet.runtime.safe_listener import safe_listener
from locust_fleet.runtime.supervision import vital
from locust_fleet.settings.master import MasterSettings

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
        self._results = results = assembly.results(settings, takeover)
        reports = assembly.reports(settings, locust, self._record_lost_report)
        workers = assembly.workers(settings, locust, results, reports)
        dispatch = assembly.dispatch(settings, locust, results)
        counts = assembly.counts(settings, locust)
        failover = assembly.failover(
            settings, takeover, locust, results, reports, workers, dispatch
        )
        control = assembly.control(settings, locust, results, failover)
        runner.attach_parts(
            assembly.runner_parts(self._drops, reports, workers, dispatch, failover, control)
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
        assembly.attach_web(settings, locust, results, workers, dispatch, failover, diagnostics)
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


def _is_in_a_run(runner: Runner | None) -> bool:
    return runner is not None and runner.state in (STATE_RUNNING, STATE_SPAWNING)


def _update_roster_forever(metrics: MasterMetrics, dispatch: Dispatch, workers: Workers) -> None:
    """Note once per heartbeat which workers are connected, and the users that they are assigned."""
    while True:
        gevent.sleep(runners.HEARTBEAT_INTERVAL)
        safe_listener(workers.loss_bound.assign)(dispatch.rebalancer.assigned())
        safe_listener(metrics.update_roster)()
