"""Put the parts of a worker together once Locust has a runner; many depend on their order."""

from __future__ import annotations

from locust.env import Environment
from locust.runners import WorkerRunner

import time
from collections.abc import Callable, Mapping
from typing import Any

import gevent
from gevent.event import Event

from locust_fleet.data.client import DataClient
from locust_fleet.data.redis_store import RedisStore
from locust_fleet.data.remote_store import RemoteStore
from locust_fleet.data.store import EXPIRY_S, LINK_EXPIRY_S
from locust_fleet.locust_patches.patch import replace
from locust_fleet.protocol.messages import RUN_ENDS, RUN_OPTION, TARGET_REFUSED
from locust_fleet.protocol.report_codec import shorten
from locust_fleet.runtime import exposition
from locust_fleet.runtime.gc import settle
from locust_fleet.runtime.loops import vital
from locust_fleet.settings.worker import WorkerSettings
from locust_fleet.worker.allowlist import AllowlistGuard, install
from locust_fleet.worker.arrivals import WorkerArrivals
from locust_fleet.worker.capacity import announce
from locust_fleet.worker.cleanup import close_after_run
from locust_fleet.worker.drain import Drain
from locust_fleet.worker.leader_connection import connection_of
from locust_fleet.worker.metrics import WorkerMetrics
from locust_fleet.worker.orphan import OrphanWatch
from locust_fleet.worker.report_loop import keep_reporting
from locust_fleet.worker.resend_buffer import ResendBuffer
from locust_fleet.worker.stall import StallDetector

# How long a last report has to leave this host.
LAST_REPORT_S = 0.2


class WorkerApp:
    """A worker of the fleet, from before Locust starts."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._runner: WorkerRunner | None = None
        # Set as soon as this process ends in order.
        self._ending = Event()
        self._remote = RemoteStore()
        self.desk = DataClient(
            RedisStore(settings.redis) if settings.redis else self._remote,
            self._run_id,
            lambda: self.known()["worker"],
            EXPIRY_S if settings.redis else LINK_EXPIRY_S,
        )

    def known(self) -> Mapping[str, str]:
        """Return what each line of the log says of this worker and its run."""
        if self._runner is None:
            return {}
        run = getattr(self._runner.environment.parsed_options, RUN_OPTION, {})
        return {"worker": self._runner.client_id, **run}

    def readiness(self) -> tuple[bool, dict[str, Any]]:
        """Say whether this worker has a leader, and which."""
        if self._runner is None:
            return False, {"role": "worker", "worker": None, "users": 0, "leader": None}
        link = connection_of(self._runner)
        return not link.lost, {
            "role": "worker",
            "worker": self._runner.client_id,
            "users": self._runner.user_count,
            "leader": None if link.lost else {"address": link.leader, "epoch": link.epoch},
        }

    def ends(self) -> bool:
        """Whether this process ends in order."""
        return self._ending.is_set()

    def last_report(self, _: BaseException | None = None) -> None:
        """Send what was counted, for this process ends at once."""
        if self._runner is not None:
            self._runner._send_stats()
            # A thread of its own sends it.
            time.sleep(LAST_REPORT_S)

    def init(self, environment: Environment, runner: WorkerRunner, **_: Any) -> None:
        """Put the parts together; a listener of ``init``."""
        settings, self._runner = self._settings, runner
        link = connection_of(runner)
        link.farewell = self.last_report
        replace(runner, "reset_connection", link.renew)
        environment.events.report_to_master.add_listener(lambda data, **_: shorten(data))
        announce(runner, environment, settings.capacity)
        arrivals = WorkerArrivals(environment, runner, self._run_id)
        arrivals.attach()
        kept = ResendBuffer(runner, self._run_id)
        kept.attach(environment)
        keep_reporting(runner, kept)
        leave = Drain(runner, kept, arrivals.hand_over)
        leave.attach(environment)
        replace(runner, "handle_message", link.dropped.outlive(runner.handle_message))
        close_after_run(environment)
        beat = settings.heartbeat
        present = OrphanWatch(
            runner,
            leave,
            self._run_id,
            lambda: getattr(environment.parsed_options, RUN_ENDS, None),
            beat.ghost_limit_s,
            link,
            kept,
        )
        present.attach()
        self._watch("orphan", present.watch)
        # As long as the master waits before it counts a worker as missing.
        absence = StallDetector(runner, beat.interval_s * (beat.liveness + 1))
        absence.attach()
        self._watch("absence", absence.watch)
        metrics = WorkerMetrics(runner, settings.identity, link)
        metrics.attach()
        exposition.serve(settings.metrics_port, metrics.render)
        guard = AllowlistGuard(
            settings.targets,
            lambda target: runner.send_message(TARGET_REFUSED, {"target": target}),
        )
        if not settings.redis:
            self._remote.attach(runner)
        environment.events.test_start.add_listener(lambda **_: guard.forget())
        environment.events.test_stop.add_listener(
            lambda **_: setattr(environment.parsed_options, RUN_OPTION, {})
        )
        # After the run is over for this worker, so that it does not take part in it again.
        self._share(environment)
        self._watch("shared data", self.desk.watch)
        environment.events.quitting.add_listener(lambda **_: self._ending.set())
        install(guard)
        # The locustfile is imported by now.
        settle()

    def _watch(self, name: str, loop: Callable[[], None]) -> None:
        gevent.spawn(vital(name, loop, self.ends, self.last_report))

    def _run_id(self) -> str | None:
        return self.known().get("run_id")

    def _share(self, environment: Environment) -> None:
        """Let the users of this worker share data, in the run that goes on."""
        desk = self.desk
        environment.events.request.add_listener(desk.count_request)
        environment.events.test_start.add_listener(lambda **_: desk.begin())
        environment.events.test_stopping.add_listener(lambda **_: desk.stop_waiting())
        environment.events.test_stop.add_listener(lambda **_: desk.end())
