"""Metrics of the channels, read from Postgres at each scrape.

So the notifier and the console show the same numbers, also right after a restart.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

import psycopg
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from locust_fleet.errors import StoreUnavailable
from locust_fleet.notify.outbox import OutboxCounts, read_counts
from locust_fleet.runtime.postgres import Connect

logger = logging.getLogger(__name__)

LABELS = ("channel",)


class OutboxCollector(Collector):
    """Shows nothing while Postgres is away: an old number would look like a present one."""

    def __init__(self, read: Callable[[], list[OutboxCounts]]) -> None:
        self._read = read

    def describe(self) -> Iterable[Metric]:
        """Return the metrics without samples: registering must not ask Postgres."""
        return families([])

    def collect(self) -> Iterable[Metric]:
        """Return the present counts of the outbox."""
        try:
            return families(self._read())
        except (StoreUnavailable, psycopg.Error) as error:
            logger.warning("the metrics of the outbox are missing: %s", error)
            return []


def serve(port: int, connect: Connect) -> None:
    """Serve /metrics of the notifier in the background; raises OSError when the port is taken."""

    def read() -> list[OutboxCounts]:
        with connect() as connection:
            return read_counts(connection)

    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(OutboxCollector(read))
    start_http_server(port, registry=registry)


def families(counts: Iterable[OutboxCounts]) -> list[Metric]:
    """Return the metrics of some channels."""
    pending = GaugeMetricFamily("fleet_notifications_pending", "Messages that wait.", labels=LABELS)
    oldest = GaugeMetricFamily(
        "fleet_notifications_oldest_pending_seconds",
        "Age of the oldest message that waits or has failed.",
        labels=LABELS,
    )
    failed = GaugeMetricFamily(
        "fleet_notifications_failed", "Messages that the channel refused for good.", labels=LABELS
    )
    delivered = CounterMetricFamily(
        "fleet_notifications_delivered", "Messages that the channel accepted.", labels=LABELS
    )
    failures = CounterMetricFamily(
        "fleet_notification_failures", "Tries that did not deliver a message.", labels=LABELS
    )
    for count in counts:
        pending.add_metric([count.channel], count.pending)
        oldest.add_metric([count.channel], count.oldest_pending_s)
        failed.add_metric([count.channel], count.failed)
        delivered.add_metric([count.channel], count.delivered)
        failures.add_metric([count.channel], count.failures)
    return [pending, oldest, failed, delivered, failures]
