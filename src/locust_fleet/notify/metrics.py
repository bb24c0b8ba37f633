"""How the channels are doing, for Prometheus: read from Postgres when it asks, so it is the
same wherever it is asked, and right after every restart."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

import psycopg
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from locust_fleet.errors import StoreUnavailable
from locust_fleet.notify.outbox import OutboxCounts

logger = logging.getLogger(__name__)

LABELS = ("channel",)


class OutboxCollector(Collector):
    """Nothing is shown while Postgres is away: an old number would look like a present one."""

    def __init__(self, read: Callable[[], list[OutboxCounts]]) -> None:
        self._read = read

    def describe(self) -> Iterable[Metric]:
        """Return no samples: registering must not ask Postgres."""
        return families([])

    def collect(self) -> Iterable[Metric]:
        """Return what stands in the outbox now."""
        try:
            return families(self._read())
        except (StoreUnavailable, psycopg.Error) as error:
            logger.warning("metrics of the outbox are left out: %s", error)
            return []


def families(counts: Iterable[OutboxCounts]) -> list[Metric]:
    """Return the metrics of channels."""
    pending = GaugeMetricFamily("fleet_notifications_pending", "Messages that wait.", labels=LABELS)
    oldest = GaugeMetricFamily(
        "fleet_notifications_oldest_pending_seconds",
        "Age of the oldest that waits or failed.",
        labels=LABELS,
    )
    failed = GaugeMetricFamily(
        "fleet_notifications_failed", "Messages that the channel refused for good.", labels=LABELS
    )
    delivered = CounterMetricFamily(
        "fleet_notifications_delivered", "Messages that the channel took.", labels=LABELS
    )
    failures = CounterMetricFamily(
        "fleet_notification_failures", "Tries that did not deliver.", labels=LABELS
    )
    for count in counts:
        pending.add_metric([count.channel], count.pending)
        oldest.add_metric([count.channel], count.oldest_pending_s)
        failed.add_metric([count.channel], count.failed)
        delivered.add_metric([count.channel], count.delivered)
        failures.add_metric([count.channel], count.failures)
    return [pending, oldest, failed, delivered, failures]
