"""Build the parts of a worker."""

from __future__ import annotations

from locust.env import Environment
from locust.runners import WorkerRunner

from collections.abc import Mapping
from typing import Any

import gevent
from gevent.event import Event

from locust_fleet.data.client import DataClient
from locust_fleet.data.redis_store import RedisStore
from locust_fleet.data.remote_store import RemoteStore
from locust_fleet.data.store import EXPIRY_S, REMOTE_EXPIRY_S
from locust_fleet.protocol.drop_counter import DropCounter
from locust_fleet.protocol.messages import RUN_ENDS, RUN_OPTION, TARGET_REFUSED
from locust_fleet.runtime import exposition
from locust_fleet.runtime.gc import settle
from locust_fleet.runtime.supervision import vital
from locust_fleet.settings.worker import WorkerSettings
from locust_fleet.worker.allowlist_guard import AllowlistGuard
from locust_fleet.worker.arrivals import WorkerArrivals
from locust_fleet.worker.capacity import Capacity
from locust_fleet.worker.drain import Drain
from locust_fleet.worker.lifecycle import WorkerLifecycle
from locust_fleet.worker.metrics import WorkerMetrics
from locust_fleet.worker.orphan import OrphanWatch
from locust_fleet.worker.resend_buffer import ResendBuffer
from locust_fleet.worker.runner import FleetWorkerRunner, WorkerRunnerParts
from locust_fleet.worker.stall import StallDetector


class WorkerApp:
    """A worker of the fleet. It is made before Locust starts."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._runner: FleetWorkerRunner | None = None
        # Set as soon as this process shuts down in order.
        self._ending = Event()
        self.drops = DropCounter()
        store = RedisStore(settings.redis) if settings.redis else RemoteStore()
        self._remote = store if isinstance(store, RemoteStore) else None
        self.data_client = DataClient(
            store,
            self._run_id,
            lambda: self.log_context()["worker"],
            EXPIRY_S if settings.redis else REMOTE_EXPIRY_S,
        )

    def log_context(self) -> Mapping[str, str]:
        """Return the fields of each log line about this worker and its run."""
        if self._runner is None:
            return {}
        run = getattr(self._runner.environment.parsed_options, RUN_OPTION, {})
        return {"worker": self._runner.client_id, **run}

    def readiness(self) -> tuple[bool, dict[str, Any]]:
        """Return whether this worker has a leader, and the details for /health."""
        if self._runner is None:
            return False, {"role": "worker", "worker": None, "users": 0, "leader": None}
        connection = self._runner.connection
        leader = {"address": connection.leader, "epoch": connection.epoch}
        return not connection.lost, {
            "role": "worker",
            "worker": self._runner.client_id,
            "users": self._runner.user_count,
            "leader": None if connection.lost else leader,
        }

    def is_ending(self) -> bool:
        """Whether this process shuts down in order."""
        return self._ending.is_set()

    def last_report(self, error: BaseException | None = None) -> None:
        """Send the counts since the last report, because this process is about to end."""
        if self._runner is not None:
            self._runner.last_report(error)

    def init(self, environment: Environment, runner: FleetWorkerRunner, **_: Any) -> None:
        """Build the parts; a listener of ``init``."""
        settings, self._runner = self._settings, runner
        capacity = Capacity(settings.capacity)
        capacity.announce(runner)
        arrivals = WorkerArrivals(environment, runner, self._run_id)
        arrivals.attach()
        resend_buffer = ResendBuffer(runner, self._run_id)
        resend_buffer.attach()
        drain = Drain(runner, resend_buffer, arrivals.hand_over)
        guard = AllowlistGuard(
            settings.targets,
            lambda target: runner.send_message(TARGET_REFUSED, {"target": target}),
        )
        runner.attach_parts(WorkerRunnerParts(self.drops, drain, resend_buffer, self._remote))
        if self._remote:
            self._remote.attach(runner)
        WorkerLifecycle(
            environment,
            runner,
            capacity,
            arrivals,
            resend_buffer,
            drain,
            guard,
            self.data_client,
        ).attach()
        environment.events.quitting.add_listener(lambda **_: self._ending.set())
        orphan = self._orphan_watch(environment, drain, resend_buffer)
        stall = _stall_detector(settings, runner)
        for name, loop in (
            ("orphan", orphan.watch),
            ("stall", stall.watch),
            ("shared data", self.data_client.watch),
        ):
            gevent.spawn(vital(name, loop, self.is_ending, self.last_report))
        _serve_metrics(settings, runner, self.drops)
        guard.install()
        # Last, because the locustfile is imported by now.
        settle()

    def _orphan_watch(
        self, environment: Environment, drain: Drain, resend_buffer: ResendBuffer
    ) -> OrphanWatch:
        assert self._runner is not None, "init has set it"
        orphan = OrphanWatch(
            self._runner,
            drain,
            self._run_id,
            lambda: getattr(environment.parsed_options, RUN_ENDS, None),
            self._settings.heartbeat.ghost_limit_s,
            self._runner.connection,
            resend_buffer,
        )
        orphan.attach()
        return orphan

    def _run_id(self) -> str | None:
        return self.log_context().get("run_id")


def _stall_detector(settings: WorkerSettings, runner: WorkerRunner) -> StallDetector:
    beat = settings.heartbeat
    # As long as the master waits for a heartbeat before a worker counts as missing.
    stall = StallDetector(runner, beat.interval_s * (beat.liveness + 1))
    stall.attach()
    return stall


def _serve_metrics(settings: WorkerSettings, runner: FleetWorkerRunner, drops: DropCounter) -> None:
    metrics = WorkerMetrics(runner, settings.identity, runner.connection, drops)
    metrics.attach()
    exposition.serve(settings.metrics_port, metrics.render)
