"""Render the metrics of the run, the workers and the recording for Prometheus.

What needs history is counted as reports arrive (counters.py, workers/roster.py). Everything else is
read at each scrape, so there is no second copy, and no cost between scrapes.
"""

from __future__ import annotations

from locust.runners import STATE_MISSING, MasterRunner

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

import gevent

from locust_fleet.master.metrics.counters import Endpoint, EndpointCounters
from locust_fleet.master.metrics.exposition_lines import Template
from locust_fleet.master.results.recorder import Recorder
from locust_fleet.master.results.spool import Spool
from locust_fleet.master.workers.roster import Roster
from locust_fleet.policy.alert_thresholds import Thresholds
from locust_fleet.protocol.drop_counter import DropCounter
from locust_fleet.runtime.exposition import family, head, process_metrics

# Locust's key for all endpoints together.
AGGREGATED = ("", "Aggregated")
TURN_S = 0.003
# Seconds that a scrape may spend on percentiles since the run began; enough for a few hundred
# names.
RUN_PERCENTILES_S = 0.025


class MasterMetrics:
    """Renders the text of a scrape."""

    def __init__(
        self,
        runner: MasterRunner,
        recorder: Recorder,
        spool: Spool,
        counters: EndpointCounters,
        roster: Roster,
        thresholds: Thresholds,
        version: str,
        names_over_limit: Callable[[], bool] = lambda: False,
        users_over_capacity: Callable[[], int] = lambda: 0,
        render_arrivals: Callable[[], Iterable[str]] = tuple,
        dropped: DropCounter | None = None,
    ) -> None:
        self._runner = runner
        self._recorder = recorder
        self._spool = spool
        self._counters = counters
        self._roster = roster
        self._thresholds = thresholds
        self._version = version
        self._names_over_limit = names_over_limit
        self._users_over_capacity = users_over_capacity
        self._render_arrivals = render_arrivals
        self._dropped = dropped or DropCounter()
        self._process = process_metrics()
        self._templates: dict[Endpoint, Template] = {}
        self._aggregated = Template(*AGGREGATED)
        self._scrapes = 0

    def render(self) -> Iterator[bytes]:
        """Yield the text in parts."""
        now = time.monotonic()
        for part in (self._load, self._run, self._workers, self._results):
            yield "".join(part(now)).encode()
        yield self._process()
        for text in chain(self._endpoints(now), self._render_arrivals()):
            yield text.encode()

    def update_roster(self) -> None:
        """Note which workers are connected; must be called at least once per heartbeat."""
        clients = self._runner.clients.values()
        self._roster.update([client.id for client in clients if client.state != STATE_MISSING])

    def _load(self, now: float) -> Iterator[str]:
        runner, active = self._runner, self._recorder.active is not None
        recent, total = self._counters.recent_total(now), runner.stats.total
        yield gauge("locust_current_users", "Running users.", runner.user_count)
        yield gauge(
            "locust_target_users",
            "Users that the run should have.",
            runner.target_user_count if active else 0,
        )
        yield gauge(
            "locust_users_over_capacity",
            "Users of the run that cannot run because every worker is at its limit.",
            self._users_over_capacity() if active else 0,
        )
        yield gauge(
            "locust_requests_per_second",
            "Requests per second of all endpoints, over ten seconds.",
            self._counters.requests_per_second(now) if active else 0,
        )
        yield gauge(
            "locust_error_rate_percent",
            "Percentage of the last ten seconds' requests that failed.",
            100 * recent.failures / recent.requests if recent.requests else 0,
        )
        averages = {
            "run": (total.total_response_time, total.num_requests - total.num_none_requests),
            "recent": (recent.sum_ms, sum(recent.times.values())),
        }
        yield family(
            "locust_average_response_time_seconds",
            "gauge",
            "Mean response time of all endpoints, since the run began or in the last ten seconds.",
            [
                ({"window": window}, sum_ms / requests / 1000)
                for window, (sum_ms, requests) in averages.items()
                if requests > 0
            ],
        )

    def _run(self, _: float) -> Iterator[str]:
        run = self._recorder.active
        yield gauge("locust_test_running", "1 while a run is active.", run is not None)
        yield family(
            "locust_run_info",
            "gauge",
            "1 for the active run.",
            [({"run_id": run.id, "locustfile": run.locustfile, "host": run.host}, 1)]
            if run
            else [],
        )
        yield gauge(
            "locust_run_started_timestamp_seconds",
            "When the active run began; 0 without one.",
            run.started_at.timestamp() if run else 0,
        )
        thresholds = {**self._thresholds, **(run.alerts if run else {})}
        yield family(
            "locust_alert_threshold",
            "gauge",
            "The threshold of an alert, in its own unit; 0 disables the alert.",
            [({"alert": alert}, value) for alert, value in thresholds.items()],
        )
        yield master_info("leader", self._version)

    def _workers(self, _: float) -> Iterator[str]:
        self.update_roster()
        roster = self._roster
        yield gauge("locust_workers_connected", "Connected workers.", roster.connected)
        yield gauge(
            "locust_workers_missing",
            "Workers that vanished and were not replaced.",
            roster.missing,
        )
        yield gauge("locust_workers_expected", "Workers connected and missing.", roster.expected)
        yield family(
            "locust_worker_disconnects_total",
            "counter",
            "Workers that vanished without saying goodbye.",
            [({}, roster.disconnects)],
        )
        yield self._dropped.render("locust_messages_dropped_total")
        yield family(
            "locust_users_per_worker",
            "gauge",
            "Running users of a worker.",
            [
                ({"worker": client.id}, client.user_count)
                for client in self._runner.clients.values()
                if client.state != STATE_MISSING
            ],
        )

    def _results(self, _: float) -> Iterator[str]:
        backlog = self._spool.backlog()
        yield gauge(
            "locust_recorder_lag_seconds",
            "Age of the oldest result that is not in Postgres yet.",
            max(backlog.age_s, self._recorder.unsaved_age_s),
        )
        yield gauge("locust_spool_files", "Results that wait for Postgres.", backlog.files)
        yield gauge("locust_spool_bytes", "Size of the results that wait.", backlog.size)
        yield gauge(
            "locust_spool_rejected_files",
            "Results that Postgres refused; an operator has to look at them.",
            self._spool.rejected(),
        )
        yield gauge(
            "locust_names_over_limit",
            "1 when some requests count as (other) because there are too many names.",
            self._counters.over_limit or self._names_over_limit(),
        )

    def _endpoints(self, now: float) -> Iterator[str]:
        """Yield the metrics of all endpoints; the format needs the lines of a metric together."""
        endpoints = self._counters.endpoints()
        if len(self._templates) > len(endpoints):
            self._templates.clear()
        self._refresh_run_percentiles(endpoints)
        recent = self._counters.recent_total(now).times
        requests, durations, errors = [], [], []
        percentiles = [self._aggregated.run, self._aggregated.recent(recent)]
        turns = Turns()
        for endpoint in endpoints:
            turns.take()
            template = self._template(endpoint)
            requests.append(template.requests % (endpoint.successes, endpoint.failures))
            durations.append(template.duration(endpoint))
            errors += [
                template.error(error, occurrences) for error, occurrences in endpoint.errors.items()
            ]
            if (endpoint.method, endpoint.name) != AGGREGATED:
                recent = self._counters.recent(endpoint, now).times
                percentiles += [template.run, template.recent(recent)]
        yield head("locust_requests_total", "counter", "Requests that ended.")
        yield "".join(requests)
        yield head(
            "locust_request_duration_seconds", "histogram", "Response times of all requests."
        )
        yield "".join(durations)
        yield head("locust_failures_total", "counter", "Requests that failed, by their error.")
        yield "".join(errors)
        yield head(
            "locust_response_time_percentile_seconds",
            "gauge",
            "Percentiles of response times, since the run began or over the last ten seconds.",
        )
        yield "".join(percentiles)

    def _refresh_run_percentiles(self, endpoints: Sequence[Endpoint]) -> None:
        """Update the percentiles since the run began, least recently updated endpoints first.

        They cost the most and change the least. With very many names, some wait for the next
        scrape.
        """
        stats = self._runner.stats
        entries = [(self._aggregated, stats.total)]
        for endpoint in endpoints:
            template = self._template(endpoint)
            entry = stats.entries.get(endpoint.key_in_locust)
            # Percentiles of an earlier run, or from before a reset, must go at once.
            template.reset_unless(entry.response_times if entry else None)
            if entry is not None:
                entries.append((template, entry))
        stale = [
            (template, entry)
            for template, entry in entries
            if template.is_stale(entry.response_times, entry.num_requests)
        ]
        # The sort is stable, so all endpoints together come first.
        stale.sort(key=lambda one: one[0] is not self._aggregated and one[0].refreshed)
        self._scrapes += 1
        spent, turns = 0.0, Turns()
        for template, entry in stale:
            turns.take()
            began = time.perf_counter()
            template.refresh(entry.response_times, entry.num_requests)
            template.refreshed = self._scrapes
            spent += time.perf_counter() - began
            if spent > RUN_PERCENTILES_S:
                break

    def _template(self, endpoint: Endpoint) -> Template:
        template = self._templates.get(endpoint)
        if template is None:
            template = Template(endpoint.method, endpoint.name)
            self._templates[endpoint] = template
        return template


class Turns:
    """Yields to other greenlets now and then, so that no worker's report waits for a scrape."""

    def __init__(self) -> None:
        self._until = time.monotonic() + TURN_S

    def take(self) -> None:
        """Yield if TURN_S has passed since the last time."""
        if time.monotonic() > self._until:
            gevent.sleep(0)
            self._until = time.monotonic() + TURN_S


def standby_metrics(version: str) -> Callable[[], Iterator[bytes]]:
    """Return a function that renders a scrape while this master does not lead."""
    process = process_metrics()

    def render() -> Iterator[bytes]:
        yield master_info("standby", version).encode()
        yield process()

    return render


def master_info(role: str, version: str) -> str:
    """Return the text of the metric about this master."""
    samples = [({"role": role, "version": version}, 1)]
    return family("locust_master_info", "gauge", "1 for this master.", samples)


def gauge(name: str, about: str, value: float) -> str:
    """Return the text of a gauge without labels."""
    return family(name, "gauge", about, [({}, value)])
