"""Count what arrived in an open model, for Prometheus, Locust's page and who operates the run.

How many requests there were is counted with all others (counters.py). Here are their times from the
intended start, and the iterations that were dropped because no user was free.
"""

from __future__ import annotations

from locust.stats import RequestStats

import time
from collections.abc import Iterator, Mapping
from typing import Any

from locust_fleet.master.metrics.counters import EndpointCounters
from locust_fleet.master.metrics.templates import Template
from locust_fleet.protocol.histogram import ARRIVED, TWINS
from locust_fleet.runtime.exposition import family, head
from locust_fleet.users.arrival.corrected import show_dropped

# How long after the last one iterations count as being dropped.
STILL_S = 30.0


class ArrivalMetrics:
    """The arrivals since this process started; of the present run, who drops any."""

    def __init__(self, stats: RequestStats, most_names: int) -> None:
        self._stats = stats
        self._corrected = EndpointCounters(most_names)
        self._templates: dict[tuple[str, str], Template] = {}
        self._arrivals: dict[str, int] = {}
        self._dropped: dict[str, int] = {}
        # When a class dropped some last, monotonic.
        self._dropped_at: dict[str, float] = {}

    def start_run(self) -> None:
        """Forget what is only of a run."""
        self._corrected.start_run()
        self._dropped_at.clear()

    def add(self, worker: str, report: Mapping[str, Any], now: float) -> None:
        """Add a worker's report; ``now`` is monotonic."""
        if twins := report.get(TWINS):
            self._corrected.add(worker, {**report, "stats": twins, "errors": {}}, now)
        for user_class, (arrivals, dropped) in report.get(ARRIVED, {}).items():
            self._arrivals[user_class] = self._arrivals.get(user_class, 0) + arrivals
            self._dropped[user_class] = self._dropped.get(user_class, 0) + dropped
            if dropped:
                self._dropped_at[user_class] = now
                show_dropped(self._stats, user_class, dropped)

    def diagnostics(self) -> list[str]:
        """Return what an operator should know about the arrivals of the present run."""
        now = time.monotonic()
        return [
            f"iterations of {user_class} are dropped, because no user is free when they are to"
            " begin: the load is lower than asked for. Ask for more users, or for a lower rate"
            for user_class, at in self._dropped_at.items()
            if now - at < STILL_S
        ]

    def render(self) -> Iterator[str]:
        """Return the text of a scrape; nothing while nothing ever arrived."""
        if not self._arrivals:
            return
        for name, about, counts in (
            ("locust_arrivals_total", "Iterations that were to begin.", self._arrivals),
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
            "Response times of requests from when they were intended to begin.",
        )
        for endpoint in endpoints:
            yield self._template(endpoint.method, endpoint.name).duration(endpoint)
        yield head(
            "locust_corrected_response_time_percentile_seconds",
            "gauge",
            "Response time from the intended start that a share of the last ten seconds' requests"
            " stayed within.",
        )
        for endpoint in endpoints:
            recent = self._corrected.recent(endpoint, now).times
            yield self._template(endpoint.method, endpoint.name).recent(recent)

    def _template(self, method: str, name: str) -> Template:
        if len(self._templates) > 2 * len(self._corrected.endpoints()):
            self._templates.clear()
        return self._templates.setdefault((method, name), Template(method, name, "corrected_"))
