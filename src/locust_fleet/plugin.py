"""Attach our parts to Locust's events; nothing else registers a listener.

Settings are checked before Locust starts and connections in ``init``, where Locust stops on
an error. Every later listener logs and goes on: a run is never harmed by what watches it.
"""

from __future__ import annotations

import locust.main
from locust import events, runners
from locust.env import Environment
from locust.log import setup_logging
from locust.runners import STATE_STOPPING, MasterRunner, WorkerRunner
from locust.web import WebUI

import functools
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gevent

from locust_fleet import exporter, health, logs, visitor
from locust_fleet.master import guard
from locust_fleet.master.attendance import Attendance
from locust_fleet.master.balance import Balance
from locust_fleet.master.counts import Counts
from locust_fleet.master.dispatch import SteadyDispatcher
from locust_fleet.master.halt import make_stop_final
from locust_fleet.master.intake import Intake
from locust_fleet.master.memory import forget_the_past, keep_snapshots_small
from locust_fleet.master.metrics import MasterMetrics
from locust_fleet.master.presence import know_workers
from locust_fleet.master.problems import Problems
from locust_fleet.master.recorder import SAMPLE_INTERVAL_S, Recorder
from locust_fleet.master.reports import write_reports
from locust_fleet.master.run import Run, utc_now
from locust_fleet.master.shipper import Shipper
from locust_fleet.master.spool import Spool
from locust_fleet.master.web import Front, hosts_of_users
from locust_fleet.names import bound_names
from locust_fleet.seams import replace
from locust_fleet.settings import (
    HeartbeatSettings,
    LogSettings,
    MasterSettings,
    WorkerSettings,
)
from locust_fleet.targets import without_credentials
from locust_fleet.wire import shorten
from locust_fleet.worker.connections import bound_waiting
from locust_fleet.worker.guard import Guard as WorkerGuard
from locust_fleet.worker.guard import install
from locust_fleet.worker.leave import Leave
from locust_fleet.worker.metrics import WorkerMetrics
from locust_fleet.worker.reports import keep_reporting
from locust_fleet.worker.steps import count_in_steps

# How long the last results may take to reach Postgres at the end; what is left stays spooled.
LAST_SHIPMENT_S = 5.0
TARGET_REFUSED = "target_refused"
# Locust sends options that are not its own to the workers with each spawn message.
RUN_OPTION = "fleet_run"

logger = logging.getLogger(__name__)


def attach_worker(settings: WorkerSettings) -> None:
    """Make this process a worker of the fleet once Locust starts; serves health at once."""
    _set_heartbeat(settings.heartbeat)
    count_in_steps()
    bound_waiting(settings.connections)
    bound_names(settings.max_names)
    runner_of: list[WorkerRunner] = []
    _log(settings.logs, "worker", lambda: _known_to_worker(runner_of))
    health.serve(settings.health_port, lambda: _worker_readiness(runner_of, settings.heartbeat))

    def init(environment: Environment, runner: WorkerRunner, **_: Any) -> None:
        runner_of.append(runner)
        environment.events.report_to_master.add_listener(lambda data, **_: shorten(data))
        keep_reporting(runner)
        Leave(runner).attach(environment)
        metrics = WorkerMetrics(runner, settings.identity)
        metrics.attach()
        exporter.serve(settings.metrics_port, metrics.render)
        guard = WorkerGuard(
            settings.targets,
            lambda target: runner.send_message(TARGET_REFUSED, {"target": target}),
        )
        environment.events.test_start.add_listener(lambda **_: guard.forget())
        environment.events.test_stop.add_listener(
            lambda **_: setattr(environment.parsed_options, RUN_OPTION, {})
        )
        install(guard)

    events.init.add_listener(init)


def attach_master(settings: MasterSettings) -> None:
    """Make this process the master of the fleet once Locust starts; serves health at once."""
    _set_heartbeat(settings.heartbeat)
    bound_names(settings.max_names)
    keep_snapshots_small()
    runner_of: list[MasterRunner] = []
    recorder_of: list[Recorder] = []
    _log(settings.logs, "master", lambda: _known_to_master(recorder_of))
    health.serve(settings.health_port, lambda: _master_readiness(runner_of))

    def init(
        environment: Environment, runner: MasterRunner, web_ui: WebUI | None, **_: Any
    ) -> None:
        runner_of.append(runner)
        spool = Spool(settings.spool_dir)
        recorder = Recorder(spool, settings.version)
        recorder_of.append(recorder)
        intake = Intake(runner.stats, settings.max_names)
        intake.attach(environment)
        problems = Problems(settings.spool_dir, intake.problems, spool.problems)
        shipper = Shipper(spool, settings)
        environment.dispatcher_class = SteadyDispatcher
        make_stop_final(runner, web_ui)
        attendance, counts = Attendance(), Counts(settings.max_names)
        know_workers(runner, attendance)
        metrics = MasterMetrics(
            runner,
            recorder,
            spool,
            counts,
            attendance,
            settings.thresholds,
            settings.version,
            lambda: intake.over_limit,
        )
        exporter.serve(settings.metrics_port, metrics.render)
        _measure(environment, counts, attendance)
        balance = Balance(runner)
        balance.attach()
        _guard_start(environment, runner, recorder, settings)
        _record(environment, runner, recorder, shipper, settings)
        if web_ui and web_ui.app:
            front = Front(environment, runner, recorder, settings, problems, spool)
            front.attach(web_ui.app)
        gevent.spawn(balance.watch)
        gevent.spawn(_look, metrics)
        gevent.spawn(_watch, runner, recorder, problems)
        gevent.spawn(shipper.run_forever)

    events.init.add_listener(init)


def observer(listener: Callable[..., None]) -> Callable[..., None]:
    """Return a listener that logs its own errors: Locust would end with exit code 2."""

    @functools.wraps(listener)
    def safe(*args: Any, **kwargs: Any) -> None:
        try:
            listener(*args, **kwargs)
        except Exception:  # an observer must not end a run; logged below
            logger.exception("%s failed; nothing else is affected", listener.__name__)

    return safe


def _log(settings: LogSettings, process: str, known: logs.Known) -> None:
    """Follow Locust 2.47.0's setup of logging, which is long before ``init``, with our own."""

    def set_up(level: str, file: str | None = None) -> None:
        setup_logging(level, file)
        logs.adopt_locust(settings, process, known)

    replace(locust.main, "setup_logging", set_up)


def _known_to_worker(runner_of: list[WorkerRunner]) -> Mapping[str, str]:
    if not runner_of:
        return {}
    [runner] = runner_of
    run = getattr(runner.environment.parsed_options, RUN_OPTION, {})
    return {"worker": runner.client_id, **run}


def _known_to_master(recorder_of: list[Recorder]) -> Mapping[str, str]:
    run = recorder_of[0].active if recorder_of else None
    return {**(_known_of(run) if run else {}), **visitor.known()}


def _known_of(run: Run) -> dict[str, str]:
    name = run.name or Path(run.locustfile).name
    return {"run_id": run.id, "test_name": name, "user_id": run.started_by}


def _record(
    environment: Environment,
    runner: MasterRunner,
    recorder: Recorder,
    shipper: Shipper,
    settings: MasterSettings,
) -> None:
    """Follow a run from its start to its reports."""

    @observer
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
        setattr(options, RUN_OPTION, _known_of(run))

    @observer
    def worker_report(client_id: str, data: dict[str, Any], **_: Any) -> None:
        recorder.count(client_id, data)

    @observer
    def test_stopping(**_: Any) -> None:
        if runner.worker_count == 0 and recorder.stopped_by is None:
            recorder.stopped_by = "loss of every worker"

    @observer
    def test_stop(**_: Any) -> None:
        run = recorder.active
        if run is None:
            return
        # Whatever becomes of the last sample, the run is closed.
        observer(_cut)(runner, recorder)
        recorder.stop()
        write_reports(environment, settings.reports_dir / run.id)

    @observer
    def quitting(**_: Any) -> None:
        if recorder.active:
            recorder.stopped_by = recorder.stopped_by or "shutdown of the master"
            runner.stop()
        recorder.flush()
        gevent.with_timeout(LAST_SHIPMENT_S, shipper.ship, timeout_value=None)

    environment.events.test_start.add_listener(test_start)
    environment.events.worker_report.add_listener(worker_report)
    environment.events.test_stopping.add_listener(test_stopping)
    environment.events.test_stop.add_listener(test_stop)
    # Called before Locust's own listener, which tells the workers to quit.
    environment.events.quitting.add_listener(quitting)


def _measure(environment: Environment, counts: Counts, attendance: Attendance) -> None:
    """Count for Prometheus what the workers report."""

    @observer
    def test_start(**_: Any) -> None:
        counts.start_run()
        attendance.forget_missing()

    @observer
    def worker_report(client_id: str, data: dict[str, Any], **_: Any) -> None:
        counts.add(client_id, data, time.monotonic())

    @observer
    def test_stop(**_: Any) -> None:
        attendance.forget_missing()

    environment.events.test_start.add_listener(test_start)
    environment.events.worker_report.add_listener(worker_report)
    environment.events.test_stop.add_listener(test_stop)


def _guard_start(
    environment: Environment, runner: MasterRunner, recorder: Recorder, settings: MasterSettings
) -> None:
    """Ask the guard whoever starts: the UI was asked already, autostart and shapes were not."""
    start = runner.start

    def guarded_start(user_count: int, spawn_rate: float, *args: Any, **kwargs: Any) -> None:
        if recorder.active and runner.state == STATE_STOPPING:
            logger.warning("not started: the run before is still stopping")
            return
        refusal = guard.refuse_hosts(hosts_of_users(environment), settings.targets)
        if refusal:
            recorder.audit("autostart", "", "start a run", refusal.message)
        else:
            start(user_count, spawn_rate, *args, **kwargs)

    def target_refused(msg: Any, **_: Any) -> None:
        reason = settings.targets.refusal(msg.data["target"])
        recorder.audit(msg.node_id, "", f"connect to {msg.data['target']}", reason)
        recorder.event("target refused", {"worker": msg.node_id, "target": msg.data["target"]})

    replace(runner, "start", guarded_start)
    runner.register_message(TARGET_REFUSED, observer(target_refused))


def _look(metrics: MasterMetrics) -> None:
    """See each heartbeat which workers are there."""
    while True:
        gevent.sleep(runners.HEARTBEAT_INTERVAL)
        observer(metrics.look)()


def _watch(runner: MasterRunner, recorder: Recorder, problems: Problems) -> None:
    """Cut a sample every interval, on time however long the cut itself takes."""
    due = time.monotonic()
    while True:
        due = max(due + SAMPLE_INTERVAL_S, time.monotonic())
        gevent.sleep(due - time.monotonic())
        observer(_cut)(runner, recorder)
        observer(recorder.flush)()
        observer(problems.log_changes)()
        observer(forget_the_past)(runner.stats)


def _cut(runner: MasterRunner, recorder: Recorder) -> None:
    clients = runner.clients
    recorder.cut(
        users=runner.user_count,
        target_users=runner.target_user_count,
        workers=[client.id for client in clients.ready + clients.spawning + clients.running],
    )


def _set_heartbeat(settings: HeartbeatSettings) -> None:
    """Locust 2.47.0 has no options for these; its runners read them at each use."""
    runners.HEARTBEAT_INTERVAL = settings.interval_s
    runners.HEARTBEAT_LIVENESS = settings.liveness
    runners.MASTER_HEARTBEAT_TIMEOUT = settings.master_timeout_s


def _worker_readiness(
    runner_of: list[WorkerRunner], heartbeat: HeartbeatSettings
) -> tuple[bool, dict[str, Any]]:
    runner = runner_of[0] if runner_of else None
    seen = runner.last_heartbeat_timestamp if runner else None
    ready = bool(seen and time.time() - seen < heartbeat.interval_s * (heartbeat.liveness + 1))
    return ready, {
        "role": "worker",
        "worker": runner.client_id if runner else None,
        "users": runner.user_count if runner else 0,
    }


def _master_readiness(runner_of: list[MasterRunner]) -> tuple[bool, dict[str, Any]]:
    if not runner_of:
        return False, {"role": "starting", "workers": 0}
    return True, {"role": "leader", "workers": runner_of[0].worker_count}
