"""The dashboard Fleet: are the load generators all there, and are they the bottleneck?"""

from __future__ import annotations

from grafana.parts import (
    RED,
    WIDTH,
    YELLOW,
    Chart,
    board,
    dashed,
    fill,
    from_prometheus,
    lines,
    number,
    promql,
    promql_rows,
    rows,
)
from grafana.run import ARRIVALS, NO_ARRIVALS, limit
from grafana_foundation_sdk.builders.dashboard import Dashboard

MASTERS = 'job="locust-master"'


def dashboard() -> Dashboard:
    fleet = board(
        "fleet-fleet",
        "Fleet",
        "Masters and workers. A worker at its CPU limit, or with a slow event loop, measures itself"
        " instead of the target: add workers.",
    )
    fleet = fleet.with_variable(
        from_prometheus(
            "worker",
            "Worker",
            "Workers within the time range.",
            "label_values(locust_worker_info, worker)",
            several=True,
        )
    )
    return fill(fleet, {"Now": _now(), "Workers": _workers(), "Masters": _masters(), "Who": _who()})


def by_worker(metric: str) -> str:
    """Return a worker's own metric with its name, which only one of its metrics has."""
    return (
        f'{metric} * on (job, instance) group_left (worker) locust_worker_info{{worker=~"$worker"}}'
    )


def by_class(counter: str) -> str:
    """Return how much a counter of arrivals grows per second, for each class of users."""
    return f"sum by (user_class) (rate({counter}[$__rate_interval]))"


def _now() -> list[Chart]:
    return [
        number(
            "Workers",
            "Workers that are connected to the leader.",
            "short",
            promql("max(locust_workers_connected)"),
            steps={},
        ),
        number(
            "Missing",
            "Workers that vanished without a word and were not replaced.",
            "short",
            promql("max(locust_workers_missing)"),
            steps={1: RED},
        ),
        number("Users", "Users that run now.", "short", promql("sum(locust_current_users)")),
        number(
            "Busiest worker",
            "CPU of the busiest worker, in per cent of one core.",
            "percent",
            promql("max(locust_worker_cpu_percent)"),
            steps={70: YELLOW, 80: RED},
        ),
        number(
            "Slowest event loop",
            "How late the event loop of the slowest worker is. Response times include it.",
            "s",
            promql("max(locust_worker_loop_lag_seconds)"),
            steps={0.02: YELLOW, 0.1: RED},
        ),
        number(
            "Results waiting",
            "Age of the oldest result that is not yet in Postgres.",
            "s",
            promql("max(locust_recorder_lag_seconds)"),
            steps={30: YELLOW, 120: RED},
        ),
    ]


def _workers() -> list[Chart]:
    # The counters also have classes of earlier runs.
    arriving = f"{by_class('locust_arrivals_total')} > 0"
    return [
        lines(
            "Workers",
            "Connected, expected and missing. Scaling down on purpose lowers what is expected.",
            "short",
            promql("max(locust_workers_connected)", "connected"),
            promql("max(locust_workers_expected)", "expected"),
            promql("max(locust_workers_missing)", "missing"),
        ),
        lines(
            "Users per worker",
            "As the leader spread them.",
            "short",
            promql('max by (worker) (locust_users_per_worker{worker=~"$worker"})', "{{worker}}"),
        ),
        dashed(
            lines(
                "CPU of workers",
                "In per cent of one core, which is all that a worker can use. The limit is that of"
                " the alert SystemResourceHigh.",
                "percent",
                promql(by_worker("locust_worker_cpu_percent"), "{{worker}}"),
                promql(limit("SystemResourceHigh"), "limit"),
                top=100,
            ),
            "limit",
        ),
        dashed(
            lines(
                "Memory of workers",
                "Resident. The limit is that of the alert LocustHighMemoryUsage.",
                "bytes",
                promql(by_worker("locust_worker_memory_bytes"), "{{worker}}"),
                promql(limit("LocustHighMemoryUsage"), "limit"),
            ),
            "limit",
        ),
        lines(
            "Event loop lag of workers",
            "How late each worker's event loop is. Response times include it.",
            "s",
            promql(by_worker("locust_worker_loop_lag_seconds"), "{{worker}}"),
        ),
        lines(
            "Requests in flight",
            "Requests that each worker waits for.",
            "short",
            promql(by_worker("locust_worker_requests_in_flight"), "{{worker}}"),
        ),
        lines(
            "Arrivals",
            f"{ARRIVALS} The alert IterationsDropped watches their share.",
            "cps",
            promql(arriving, "{{user_class}} arrivals"),
            promql(
                f"{by_class('locust_dropped_iterations_total')} and {arriving}",
                "{{user_class}} dropped",
            ),
            width=WIDTH,
        ).no_value(NO_ARRIVALS),
    ]


def _masters() -> list[Chart]:
    return [
        lines(
            "Leader",
            "Masters by role. One leads; the others stand by.",
            "short",
            promql("count by (role) (locust_master_info)", "{{role}}"),
            promql(
                "sum(increase(locust_worker_disconnects_total[$__rate_interval]))", "workers lost"
            ),
        ),
        lines(
            "CPU of masters",
            "In per cent of one core, which is all that a master can use.",
            "percent",
            promql(
                f"100 * rate(process_cpu_seconds_total{{{MASTERS}}}[$__rate_interval])",
                "{{instance}}",
            ),
            top=100,
        ),
        lines(
            "Memory of masters",
            "Resident.",
            "bytes",
            promql(f"process_resident_memory_bytes{{{MASTERS}}}", "{{instance}}"),
        ),
        lines(
            "Results on their way to Postgres",
            "Files in the spool. They grow while Postgres is away, and none is lost.",
            "short",
            promql("sum(locust_spool_files)", "files"),
        ),
    ]


def _who() -> list[Chart]:
    hide = ("Time", "Value", "__name__", "job", "cluster", "environment")
    return [
        rows(
            "Masters",
            "Each master with its role and version.",
            promql_rows("locust_master_info"),
            units={},
            width=12,
            hide=hide,
        ),
        rows(
            "Workers",
            "Each worker with its node and tags.",
            promql_rows('locust_worker_info{worker=~"$worker"}'),
            units={},
            width=12,
            hide=hide,
        ),
    ]
