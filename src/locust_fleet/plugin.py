"""Attach our parts to Locust's events; nothing else registers a listener.

Settings are checked before Locust starts and connections in ``init``, where Locust stops on
an error. Every later listener logs and goes on: a run is never harmed by what watches it.
"""

from __future__ import annotations

import locust.main
from locust import events, runners
from locust.env import Environment
from locust.log import setup_logging
from locust.runners import (
    STATE_RUNNING,
    STATE_SPAWNING,
    STATE_STOPPING,
    WORKER_REPORT_INTERVAL,
    MasterRunner,
    WorkerRunner,
)
from locust.web import WebUI

import functools
import json
import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event

from locust_fleet import data, exporter, health, logs, visitor
from locust_fleet.data.desk import Desk
from locust_fleet.data.link import Answers, Remote
from locust_fleet.data.memory import Memory
from locust_fleet.data.shared import Shared
from locust_fleet.data.store import EXPIRY_S, LINK_EXPIRY_S, Store
from locust_fleet.data.summary import summed_up
from locust_fleet.master import guard
from locust_fleet.master.arrivals import Arrivals
from locust_fleet.master.arrived import Arrived
from locust_fleet.master.attendance import Attendance
from locust_fleet.master.balance import Balance
from locust_fleet.master.counts import Counts
from locust_fleet.master.halt import make_stop_final
from locust_fleet.master.handover import Handover
from locust_fleet.master.intake import Intake
from locust_fleet.master.keeper import Keeper
from locust_fleet.master.losses import Losses
from locust_fleet.master.memory import forget_the_past, keep_snapshots_small
from locust_fleet.master.metrics import MasterMetrics, standby_metrics
from locust_fleet.master.presence import Presence, listen_after
from locust_fleet.master.problems import Problems
from locust_fleet.master.receipts import Receipts
from locust_fleet.master.reception import Reception
from locust_fleet.master.recorder import SAMPLE_INTERVAL_S, Recorder
from locust_fleet.master.reports import write_reports
from locust_fleet.master.resume import Resume
from locust_fleet.master.run import Run, utc_now
from locust_fleet.master.shipper import Shipper
from locust_fleet.master.spool import Spool
from locust_fleet.master.takeover import Takeover
from locust_fleet.master.tallies import Tallies
from locust_fleet.master.web import Front, hosts_of_users
from locust_fleet.master.weights import Weights
from locust_fleet.names import bound_names
from locust_fleet.seams import replace
from locust_fleet.settings.fleet import HeartbeatSettings, LogSettings
from locust_fleet.settings.master import MasterSettings
from locust_fleet.settings.worker import WorkerSettings
from locust_fleet.targets import without_credentials
from locust_fleet.tuning import settle
from locust_fleet.users.arrival import alone
from locust_fleet.wire import shorten
from locust_fleet.worker.absence import Absence
from locust_fleet.worker.arrivals import Arrivals as WorkerArrivals
from locust_fleet.worker.capacity import announce
from locust_fleet.worker.connections import bound_waiting
from locust_fleet.worker.guard import Guard as WorkerGuard
from locust_fleet.worker.guard import install
from locust_fleet.worker.kept import Kept
from locust_fleet.worker.leave import Leave
from locust_fleet.worker.link import keep_to_leader, link_of
from locust_fleet.worker.metrics import WorkerMetrics
from locust_fleet.worker.present import Present
from locust_fleet.worker.reports import keep_reporting
from locust_fleet.worker.steps import count_in_steps
from locust_fleet.worker.tidy import close_after_run

# How long the last results may take to reach Postgres at the end; what is left stays spooled.
LAST_SHIPMENT_S = 5.0
TARGET_REFUSED = "target_refused"
# The event of a run that says what may be lost with a worker (losses.py).
LOST = "worker lost"
# Locust sends options that are not its own to the workers with each spawn message.
RUN_OPTION = "fleet_run"
# When the run is due to end, in seconds since 1970; None without a run time.
RUN_ENDS = "fleet_run_ends"

logger = logging.getLogger(__name__)


def attach_worker(settings: WorkerSettings) -> None:
    """Make this process a worker of the fleet once Locust starts; serves health at once."""
    _set_heartbeat(settings.heartbeat)
    count_in_steps()
    bound_waiting(settings.connections)
    bound_names(settings.max_names)
    keep_to_leader(settings.redis)
    alone.in_fleet = True
    runner_of: list[WorkerRunner] = []
    _log(settings.logs, "worker", lambda: _known_to_worker(runner_of))
    health.serve(settings.health_port, lambda: _worker_readiness(runner_of))
    remote = Remote()
    desk = Desk(
        Shared(settings.redis) if settings.redis else remote,
        lambda: _known_to_worker(runner_of).get("run_id"),
        lambda: runner_of[0].client_id,
        EXPIRY_S if settings.redis else LINK_EXPIRY_S,
    )
    data.desks.use(desk)

    def init(environment: Environment, runner: WorkerRunner, **_: Any) -> None:
        runner_of.append(runner)
        link = link_of(runner)
        replace(runner, "reset_connection", link.renew)
        environment.events.report_to_master.add_listener(lambda data, **_: shorten(data))

        def run_id() -> str | None:
            return _known_to_worker(runner_of).get("run_id")

        announce(runner, environment, settings.capacity)
        arrivals = WorkerArrivals(environment, runner, run_id)
        arrivals.attach()
        kept = Kept(runner, run_id)
        kept.attach(environment)
        keep_reporting(runner, kept)
        leave = Leave(runner, kept, arrivals.hand_over)
        leave.attach(environment)
        close_after_run(environment)
        beat = settings.heartbeat
        present = Present(
            runner,
            leave,
            run_id,
            lambda: getattr(environment.parsed_options, RUN_ENDS, None),
            beat.ghost_limit_s,
            link,
            kept,
        )
        present.attach()
        gevent.spawn(present.watch)
        # As long as the master waits before it counts a worker as missing.
        absence = Absence(runner, beat.interval_s * (beat.liveness + 1))
        absence.attach()
        gevent.spawn(absence.watch)
        metrics = WorkerMetrics(runner, settings.identity, link)
        metrics.attach()
        exporter.serve(settings.metrics_port, metrics.render)
        guard = WorkerGuard(
            settings.targets,
            lambda target: runner.send_message(TARGET_REFUSED, {"target": target}),
        )
        if not settings.redis:
            remote.attach(runner)
        environment.events.test_start.add_listener(lambda **_: guard.forget())
        environment.events.test_stop.add_listener(
            lambda **_: setattr(environment.parsed_options, RUN_OPTION, {})
        )
        # After the run is over for this worker, so that it does not take part in it again.
        _share(environment, desk)
        gevent.spawn(desk.watch)
        install(guard)
        # The locustfile is imported by now.
        settle()

    events.init.add_listener(init)


def attach_master(settings: MasterSettings) -> None:
    """Make this process the master of the fleet once Locust starts; serves health at once."""
    _set_heartbeat(settings.heartbeat)
    bound_names(settings.max_names)
    keep_snapshots_small()
    alone.in_fleet = True
    runner_of: list[MasterRunner] = []
    recorder_of: list[Recorder] = []
    metrics_of: list[Callable[[], Iterator[bytes]]] = [standby_metrics(settings.version)]
    _log(settings.logs, "master", lambda: _known_to_master(recorder_of))
    takeover = Takeover(settings)
    takeover.attach()
    health.serve(settings.health_port, lambda: _master_readiness(runner_of, takeover))
    exporter.serve(settings.metrics_port, lambda: metrics_of[-1]())
    store = Shared(settings.redis) if settings.redis else Memory()
    data.desks.use(_desk_of_master(store, recorder_of))
    ready = Event()
    listen_after(ready)

    def init(
        environment: Environment, runner: MasterRunner, web_ui: WebUI | None, **_: Any
    ) -> None:
        runner_of.append(runner)
        reign, checkpoints, state = takeover.reign, takeover.checkpoints, takeover.state
        spool = Spool(settings.spool_dir)
        recorder = Recorder(
            spool,
            settings.version,
            state["recorder"] if state else None,
            hold=checkpoints is not None,
        )
        recorder_of.append(recorder)
        intake = Intake(runner.stats, settings.max_names)
        intake.attach(environment)
        weights = Weights(settings.dispatch.way, settings.dispatch.max_users_per_worker)
        balance = Balance(runner, weights, settings.dispatch.rebalance_interval_s)
        arrived = Arrived(runner.stats, settings.max_names)
        arrived.attach(environment)
        problems = Problems(
            settings.spool_dir,
            intake.problems,
            balance.problems,
            spool.problems,
            arrived.problems,
        )
        shipper = Shipper(spool, settings, reign)
        wait_for_workers = make_stop_final(runner, web_ui)
        losses = Losses(WORKER_REPORT_INTERVAL, settings.heartbeat.timeout_s)
        tallies = Tallies()
        attendance = Attendance(lambda worker: recorder.event(LOST, losses.bound(worker)))
        counts = Counts(settings.max_names)
        receipts = Receipts()
        reception = Reception(runner, receipts)
        reception.attach()
        presence = Presence(
            runner,
            attendance,
            lambda: recorder.active.id if recorder.active else None,
            reception.want,
        )
        presence.attach()
        arrivals = Arrivals(
            environment,
            runner,
            lambda: recorder.active.id if recorder.active else None,
            balance.told_of_classes,
        )
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
            settings.name,
        )
        keeper = Keeper(checkpoints, resume.state, recorder, receipts, reception)
        reign.on_rise = keeper.touch
        handover = Handover(runner, recorder, keeper, reign)
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
        )
        metrics_of.append(metrics.render)
        _measure(environment, counts, attendance, weights, losses, tallies)
        balance.attach(environment)
        _guard_start(environment, runner, recorder, settings)
        Answers(runner, store).attach()
        _record(
            environment,
            runner,
            recorder,
            shipper,
            settings,
            keeper,
            handover,
            store,
            wait_for_workers,
        )
        _keep(environment, recorder, receipts, reception, keeper)
        if web_ui and web_ui.app:

            def work_of(worker: str) -> dict[str, int]:
                requests, failures = tallies.of(worker)
                planned = balance.planned(worker)
                return {"planned": planned, "requests": requests, "failures": failures}

            front = Front(environment, runner, recorder, settings, problems, spool, resume, work_of)
            front.attach(web_ui.app)
        gevent.spawn(balance.watch)
        gevent.spawn(balance.move)
        gevent.spawn(_look, metrics, balance, losses)
        gevent.spawn(_watch, runner, recorder, problems)
        gevent.spawn(shipper.run_forever)
        gevent.spawn(keeper.run_forever)
        if state and recorder.active:
            resume.begin(recorder.active, state)
        settle()
        ready.set()

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
    keeper: Keeper,
    handover: Handover,
    store: Store,
    wait_for_workers: Callable[[], None],
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
        _tell_end(environment, run)
        observer(store.open)(run.id)

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
        wait_for_workers()
        # A master that was away, and is not the one any more, ends here and takes nothing along.
        observer(keeper.save_now)()
        # Before the last sample: while Redis is asked, reports may come.
        observer(_sum_up_data)(recorder, run, store)
        # Whatever becomes of the last sample, the run is closed.
        observer(_cut)(runner, recorder)
        recorder.stop()
        write_reports(environment, settings.reports_dir / run.id)

    @observer
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


def _share(environment: Environment, desk: Desk) -> None:
    """Let the users of this worker share data, in the run that goes on."""
    environment.events.request.add_listener(desk.count_request)
    environment.events.test_start.add_listener(lambda **_: desk.begin())
    environment.events.test_stopping.add_listener(lambda **_: desk.stop_waiting())
    environment.events.test_stop.add_listener(lambda **_: desk.end())


def _desk_of_master(store: Store, recorder_of: list[Recorder]) -> Desk:
    """For a locustfile that does something on the master, as its own listener of test_start."""
    desk = Desk(
        store,
        lambda: _known_to_master(recorder_of).get("run_id"),
        lambda: "",
        EXPIRY_S,
    )
    events.init.add_listener(lambda **_: gevent.spawn(desk.watch))
    return desk


def _sum_up_data(recorder: Recorder, run: Run, store: Store) -> None:
    """Note what became of the shared data, where somebody used any."""
    closed = store.close(run.id)
    if lines := summed_up(closed):
        logger.info("shared data of run %s: %s", run.id, json.dumps(closed))
        recorder.event("shared data", lines)


def _keep(
    environment: Environment,
    recorder: Recorder,
    receipts: Receipts,
    reception: Reception,
    keeper: Keeper,
) -> None:
    """Keep each change of a run; to be called after whoever opens and closes it."""

    @observer
    def test_start(**_: Any) -> None:
        if recorder.active:
            receipts.begin(recorder.active.id)
            reception.begin()
            # Before there are any users, so that none can be without a run.
            keeper.save_now()

    @observer
    def changed(**_: Any) -> None:
        keeper.touch()

    environment.events.test_start.add_listener(test_start)
    environment.events.worker_report.add_listener(changed)
    environment.events.test_stopping.add_listener(changed)
    environment.events.test_stop.add_listener(changed)


def _measure(
    environment: Environment,
    counts: Counts,
    attendance: Attendance,
    weights: Weights,
    losses: Losses,
    tallies: Tallies,
) -> None:
    """Count for Prometheus what the workers report."""

    @observer
    def test_start(**_: Any) -> None:
        counts.start_run()
        losses.start_run()
        tallies.start_run()
        attendance.forget_missing()

    @observer
    def worker_report(client_id: str, data: dict[str, Any], **_: Any) -> None:
        counts.add(client_id, data, time.monotonic())
        losses.hear(client_id, data)
        tallies.add(client_id, data)

    @observer
    def test_stop(**_: Any) -> None:
        attendance.forget_missing()
        weights.end_run()

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
            if recorder.active:
                _tell_end(environment, recorder.active)
            try:
                start(user_count, spawn_rate, *args, **kwargs)
            except gevent.GreenletExit:
                # Stop came while the run began. Locust would see nothing to stop yet.
                if recorder.active and runner.state not in (STATE_RUNNING, STATE_SPAWNING):
                    runner.update_state(STATE_SPAWNING)
                raise

    def target_refused(msg: Any, **_: Any) -> None:
        reason = settings.targets.refusal(msg.data["target"])
        recorder.audit(msg.node_id, "", f"connect to {msg.data['target']}", reason)
        recorder.event("target refused", {"worker": msg.node_id, "target": msg.data["target"]})

    replace(runner, "start", guarded_start)
    runner.register_message(TARGET_REFUSED, observer(target_refused))


def _tell_end(environment: Environment, run: Run) -> None:
    """Let the workers know, with the next message to spawn users, when the run is due to end."""
    ends_at = run.ends_at.timestamp() if run.ends_at else None
    setattr(environment.parsed_options, RUN_ENDS, ends_at)


def _look(metrics: MasterMetrics, balance: Balance, losses: Losses) -> None:
    """See each heartbeat which workers are there, and what they have to do."""
    while True:
        gevent.sleep(runners.HEARTBEAT_INTERVAL)
        losses.tell(balance.told())
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
    # A worker without a master ends its load, but not itself (worker/present.py).
    replace(runners, "MASTER_HEARTBEAT_TIMEOUT", math.inf)


def _worker_readiness(runner_of: list[WorkerRunner]) -> tuple[bool, dict[str, Any]]:
    if not runner_of:
        return False, {"role": "worker", "worker": None, "users": 0, "leader": None}
    [runner] = runner_of
    link = link_of(runner)
    return not link.lost, {
        "role": "worker",
        "worker": runner.client_id,
        "users": runner.user_count,
        "leader": None if link.lost else {"address": link.leader, "epoch": link.epoch},
    }


def _master_readiness(
    runner_of: list[MasterRunner], takeover: Takeover
) -> tuple[bool, dict[str, Any]]:
    if not runner_of:
        return takeover.readiness()
    return True, {"role": "leader", "workers": runner_of[0].worker_count}
