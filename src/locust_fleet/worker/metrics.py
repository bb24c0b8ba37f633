"""Render this worker's metrics for Prometheus; only the master counts its requests."""

from __future__ import annotations

from locust.runners import WorkerRunner

import time
from collections import deque
from collections.abc import Iterator

import gevent
import psutil
from prometheus_client import generate_latest

from fleet_http.hooks import HOOKS
from locust_fleet import metrics
from locust_fleet.locust_patches.http_clients import count_in_flight
from locust_fleet.protocol.drop_counter import DropCounter
from locust_fleet.runtime.exposition import family, process_metrics
from locust_fleet.settings.worker import IdentitySettings
from locust_fleet.worker.leader_connection import LeaderConnection

MEASURE_INTERVAL_S = 0.5
# The metric is the largest lag of so many checks, so that no scrape misses a short one.
LAGS_KEPT = 30


class WorkerMetrics:
    """Renders the text of a scrape."""

    def __init__(
        self,
        runner: WorkerRunner,
        identity: IdentitySettings,
        connection: LeaderConnection,
        drops: DropCounter,
    ) -> None:
        self._runner = runner
        self._identity = identity
        self._connection = connection
        self._drops = drops
        self._process = process_metrics()
        self._memory = psutil.Process().memory_info
        self._lag = Lag()

    def attach(self) -> None:
        """Start to measure."""
        gevent.spawn(self._lag.watch)
        count_in_flight(HOOKS.counters)

    def render(self) -> Iterator[bytes]:
        """Yield the text in parts."""
        runner = self._runner
        gauges = {
            "locust_worker_users": ("Running users of this worker.", runner.user_count),
            "locust_worker_cpu_percent": (
                "CPU time of this process in percent of one core, over Locust's last ten seconds.",
                runner.current_cpu_usage,
            ),
            "locust_worker_memory_bytes": ("Resident memory.", self._memory().rss),
            "locust_worker_loop_lag_seconds": (
                "The largest lag of the event loop in the last fifteen seconds.",
                self._lag.highest_s,
            ),
            "locust_worker_requests_in_flight": (
                "Requests of HTTP users that wait for their answer.",
                HOOKS.counters.in_flight,
            ),
            "locust_worker_leader_silence_seconds": (
                "Time since the last message of the leader.",
                self._connection.silent_s,
            ),
        }
        for name, (about, value) in gauges.items():
            yield family(name, "gauge", about, [({}, value)]).encode()
        counters = {
            "locust_worker_reconnects_total": (
                "How often it reconnected, to the same leader or another.",
                self._connection.reconnects,
            ),
            "locust_worker_http_retries_total": (
                "Requests of FleetHttpUser sent again: the target had closed a kept connection.",
                HOOKS.counters.retries,
            ),
        }
        for name, (about, count) in counters.items():
            yield family(name, "counter", about, [({}, count)]).encode()
        yield self._drops.render("locust_worker_messages_dropped_total").encode()
        who = {
            "worker": runner.client_id,
            "node_id": self._identity.node_id,
            "tags": ",".join(self._identity.tags),
        }
        yield family("locust_worker_info", "gauge", "1 for this worker.", [(who, 1)]).encode()
        yield self._process()
        yield generate_latest(metrics.REGISTRY)


class Lag:
    """How late the event loop wakes a greenlet: users wait that much too long."""

    def __init__(self) -> None:
        self._lags: deque[float] = deque(maxlen=LAGS_KEPT)

    @property
    def highest_s(self) -> float:
        return max(self._lags, default=0.0)

    def watch(self) -> None:
        """Measure forever."""
        while True:
            due = time.monotonic() + MEASURE_INTERVAL_S
            gevent.sleep(MEASURE_INTERVAL_S)
            self._lags.append(max(0.0, time.monotonic() - due))
