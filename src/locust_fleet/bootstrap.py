"""Make this process a worker or a master of the fleet; what Locust then has is wired in ``init``.

Settings are checked before Locust starts and connections in ``init``, where Locust stops on
an error. Every later listener logs and goes on: a run is never harmed by what watches it.
"""

from __future__ import annotations

import locust.main
import locust.stats
from locust import events, runners
from locust.log import setup_logging
from locust.runners import MasterRunner, Runner, WorkerRunner

import math
from collections.abc import Callable, Iterable

import gevent

from locust_fleet import data, logs
from locust_fleet.locust_patches.http_timeouts import bound_waiting
from locust_fleet.locust_patches.patch import replace
from locust_fleet.locust_patches.stats_buckets import count_in_steps
from locust_fleet.locust_patches.stats_memory import keep_snapshots_small
from locust_fleet.locust_patches.stats_names import bound_names
from locust_fleet.locust_patches.stats_rows import read_rows_plainly
from locust_fleet.master.app import MasterApp
from locust_fleet.master.workers.registry import listen_after
from locust_fleet.runtime import exposition, health
from locust_fleet.runtime.loops import Farewell, persistent, vital
from locust_fleet.settings.fleet import HeartbeatSettings, LogSettings
from locust_fleet.settings.master import MasterSettings
from locust_fleet.settings.worker import WorkerSettings
from locust_fleet.users.arrival import standalone
from locust_fleet.worker.app import WorkerApp
from locust_fleet.worker.leader_connection import keep_to_leader, outlive_messages


def attach_worker(settings: WorkerSettings) -> None:
    """Make this process a worker of the fleet once Locust starts; serves health at once."""
    _set_heartbeat(settings.heartbeat)
    count_in_steps()
    bound_waiting(settings.connections)
    bound_names(settings.max_names)
    keep_to_leader(settings.redis)
    standalone.in_fleet = True
    worker = WorkerApp(settings)
    # From the first message on, which comes before ``init``.
    outlive_messages()
    _watch(WorkerRunner, ("worker", "heartbeat", "stats_reporter"), worker.ends, worker.last_report)
    _log(settings.logs, "worker", worker.known)
    health.serve(settings.health_port, worker.readiness)
    data.desks.use(worker.desk)
    events.init.add_listener(worker.init)


def attach_master(settings: MasterSettings) -> None:
    """Make this process the master of the fleet once Locust starts; serves health at once."""
    _set_heartbeat(settings.heartbeat)
    bound_names(settings.max_names)
    keep_snapshots_small()
    read_rows_plainly()
    standalone.in_fleet = True
    master = MasterApp(settings)
    _log(settings.logs, "master", master.known)
    master.takeover.attach()
    health.serve(settings.health_port, master.readiness)
    exposition.serve(settings.metrics_port, lambda: master.render())
    data.desks.use(master.desk)
    events.init.add_listener(lambda **_: gevent.spawn(master.desk.watch))
    listen_after(master.ready)
    _watch(MasterRunner, ("client_listener", "heartbeat_worker"), master.ends)
    # Locust 2.47.0 would show no chart any more after one failure.
    replace(locust.stats, "stats_history", persistent("charts", locust.stats.stats_history))
    events.init.add_listener(master.init)


def _watch(
    runner: type[Runner],
    loops: Iterable[str],
    ends: Callable[[], bool],
    farewell: Farewell = lambda _: None,
) -> None:
    """Locust 2.47.0 logs that a loop of its runner has ended, and goes on without it."""
    for name in loops:
        replace(runner, name, vital(name, getattr(runner, name), ends, farewell))


def _log(settings: LogSettings, process: str, known: logs.Known) -> None:
    """Follow Locust 2.47.0's setup of logging, which is long before ``init``, with our own."""

    def set_up(level: str, file: str | None = None) -> None:
        setup_logging(level, file)
        logs.adopt_locust(settings, process, known)

    replace(locust.main, "setup_logging", set_up)


def _set_heartbeat(settings: HeartbeatSettings) -> None:
    """Locust 2.47.0 has no options for these; its runners read them at each use."""
    runners.HEARTBEAT_INTERVAL = settings.interval_s
    runners.HEARTBEAT_LIVENESS = settings.liveness
    # A worker without a master ends its load, but not itself (worker/orphan.py).
    replace(runners, "MASTER_HEARTBEAT_TIMEOUT", math.inf)
