"""Count the arrivals of an open model, for Prometheus, Locust's page and the operator.

counters.py counts the requests like all others. This adds their response times from the intended
start, and the iterations that were dropped because no user was free.
"""

from __future__ import annotations

from locust.stats import RequestStats

import time
from collections.abc import Iterator, Mapping
from typing import Any

from locust_fleet.master.metrics.counters import EndpointCounters
from locust_fleet.master.metrics.exposition_lines import Template
from locust_fleet.protocol.histogram import ARRIVED, TWINS
from locust_fleet.runtime.exposition import family, head
from locust_fleet.users.arrival.corrected import show_dropped

# Seconds that the finding stays after the last dropped iteration.
STILL_S = 30.0


class ArrivalMetrics:
    """The arrivals since this process started, and the classes that drop some in this run."""

    def __init__(self, stats: RequestStats, most_names: int) -> None:
        self._stats = stats
        self._corrected = EndpointCounters(most_names)
        self._templates: dict[tuple[str, str], Template] = {}
        self._arrivals: dict[str, int] = {}
        self._dropped: dict[str, int] = {}
        # Class of users -> when it dropped an iteration last, in monotonic seconds.
        self._dropped_at: dict[str, float] = {}

    def start_run(self) -> None:
        """Forget what concerns the previous run only."""
        self._corrected.start_run()
        self._dropped_at.clear()

    def add(self, worker: str, report: Mapping[str, Any], now: float) -> None:
        """Add a worker's report; ``now`` is in monotonic seconds."""
        if twins := report.get(TWINS):
            self._corrected.add(worker, {**report, "stats": twins, "errors": {}}, now)
        for user_class, (arrivals, dropped) in report.get(ARRIVED, {}).items():
            self._arrivals[user_class] = self._arrivals.get(user_class, 0) + arrivals
            self._dropped[user_class] = self._dropped.get(user_class, 0) + dropped
            if dropped:
                self._dropped_at[user_class] = now
                show_dropped(self._stats, user_class, dropped)

    def diagnostics(self) -> list[str]:
        """Return findings for the operator about the present run's arrivals, one line each."""
        now = time.monotonic()
        return [
            f"iterations of {user_class} are dropped, because no user is free when they are"
            " due: the load is lower than requested. Request more users, or a lower rate"
            for user_class, at in self._dropped_at.items()
            if now - at < STILL_S
        ]

    def render(self) -> Iterator[str]:
        """Yield the text of a scrape; nothing before the first arrival."""
        if not self._arrivals:
            return
        for name, about, counts in (
            ("locust_arrivals_total", "Iterations that were due to begin.", self._arrivals),
            (
                "locust_dropped_iterations_total",
                "Iterations that did not begin, because no user was free.",
                self._dropped,
            ),
        ):
            samples = [({"user_class": each}, count) for each, count in counts.items()]
            yield family(name, "counter", about, samples)
        now, endpoints = time.monotonic(), self._corrected.endpoints()
        yield head(
            "locust_corrected_request_duration_seconds",
            "histogram",
            "Response times of requests from their intended start.",
        )
        for endpoint in endpoints:
            yield self._template(endpoint.method, endpoint.name).duration(endpoint)
        yield head(
            "locust_corrected_response_time_percentile_seconds",
            "gauge",
            "Percentiles of response times from the intended start, over the last ten seconds.",
        )
        for endpoint in endpoints:
            recent = self._corrected.recent(endpoint, now).times
            yield self._template(endpoint.method, endpoint.name).recent(recent)

    def _template(self, method: str, name: str) -> Template:
        if len(self._templates) > 2 * len(self._corrected.endpoints()):
            self._templates.clear()
        return self._templates.setdefault((method, name), Template(method, name, "corrected_"))
