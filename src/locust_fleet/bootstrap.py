"""Make this process a worker or a master of the fleet, before Locust starts.

The rest is set up in Locust's event ``init``. Settings are checked before Locust starts, and
connections in ``init``, where Locust stops on an error. Later listeners log their errors and never
raise, so that nothing that observes a run can harm it.
"""

from __future__ import annotations

import locust.env
import locust.main
import locust.stats
from locust import events, runners
from locust.env import Environment
from locust.log import setup_logging
from locust.rpc import zmqrpc
from locust.runners import MasterRunner

import functools

import gevent

from fleet_http.hooks import HOOKS
from locust_fleet import data, logs
from locust_fleet.locust_patches.http_clients import cache_lookups, set_default_timeouts
from locust_fleet.locust_patches.patch import replace
from locust_fleet.locust_patches.stats_buckets import count_in_steps
from locust_fleet.locust_patches.stats_memory import keep_snapshots_small
from locust_fleet.locust_patches.stats_names import bound_names
from locust_fleet.locust_patches.stats_rows import read_rows_plainly
from locust_fleet.master.app import MasterApp
from locust_fleet.master.dispatch.dispatcher import users_by_class
from locust_fleet.runtime import exposition, health
from locust_fleet.runtime.supervision import persistent
from locust_fleet.settings.fleet import HeartbeatSettings, LogSettings
from locust_fleet.settings.master import MasterSettings
from locust_fleet.settings.worker import ConnectionSettings, WorkerSettings
from locust_fleet.users.arrival import standalone
from locust_fleet.worker.app import WorkerApp
from locust_fleet.worker.leader_connection import LeaderConnection
from locust_fleet.worker.runner import FleetWorkerRunner


def attach_worker(settings: WorkerSettings) -> None:
    """Make this process a worker of the fleet once Locust starts; serves health at once."""
    _set_heartbeat(settings.heartbeat)
    count_in_steps()
    _set_connections(settings.connections)
    bound_names(settings.max_names)
    standalone.in_fleet = True
    worker = WorkerApp(settings)
    _log(settings.logs, "worker", worker.log_context)
    connection = functools.partial(
        LeaderConnection,
        redis=settings.redis,
        drops=worker.drops,
        farewell=worker.last_report,
    )
    replace(zmqrpc, "Client", connection)
    make_runner = functools.partial(
        FleetWorkerRunner, drops=worker.drops, ends_in_order=worker.is_ending
    )
    replace(locust.env, "WorkerRunner", make_runner)
    health.serve(settings.health_port, worker.readiness)
    data.registry.use(worker.data_client)
    events.init.add_listener(worker.init)


def attach_master(settings: MasterSettings) -> None:
    """Make this process the master of the fleet once Locust starts; serves health at once."""
    _set_heartbeat(settings.heartbeat)
    bound_names(settings.max_names)
    keep_snapshots_small()
    read_rows_plainly()
    replace(runners, "_aggregate_dispatched_users", users_by_class)
    # Locust 2.47.0 would stop updating its charts after one failure.
    replace(locust.stats, "stats_history", persistent("charts", locust.stats.stats_history))
    standalone.in_fleet = True
    master = MasterApp(settings)
    _log(settings.logs, "master", master.log_context)
    _lead_first(master)
    health.serve(settings.health_port, master.readiness)
    exposition.serve(settings.metrics_port, lambda: master.render())
    data.registry.use(master.data_client)
    events.init.add_listener(lambda **_: gevent.spawn(master.data_client.watch))
    events.init.add_listener(master.init)


def _lead_first(master: MasterApp) -> None:
    """Create the runner only when this master leads: Locust 2.47.0 listens as soon as it exists.

    Workers and nginx must find a master that leads.
    """

    def create_master_runner(
        environment: Environment, master_bind_host: str = "*", master_bind_port: int = 5557
    ) -> MasterRunner:
        return master.create_runner(environment, master_bind_host, master_bind_port)

    replace(Environment, "create_master_runner", create_master_runner)


def _log(settings: LogSettings, process: str, context: logs.LogContext) -> None:
    """Set up our logging after Locust 2.47.0 has set up its own, which is long before ``init``."""

    def set_up(level: str, file: str | None = None) -> None:
        setup_logging(level, file)
        logs.adopt_locust(settings, process, context)

    replace(locust.main, "setup_logging", set_up)


def _set_connections(settings: ConnectionSettings) -> None:
    """Set the default timeouts of every HTTP user, and how long addresses of hosts are cached."""
    timeouts = settings.connection_timeout_s, settings.network_timeout_s
    HOOKS.connection_timeout_s, HOOKS.network_timeout_s = timeouts
    set_default_timeouts(*timeouts)
    if settings.dns_ttl_s:
        cache_lookups(settings.dns_ttl_s)


def _set_heartbeat(settings: HeartbeatSettings) -> None:
    """Set the constants that the runners of Locust 2.47.0 read: it has no options for them."""
    runners.HEARTBEAT_INTERVAL = settings.interval_s
    runners.HEARTBEAT_LIVENESS = settings.liveness
