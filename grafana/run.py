"""The dashboard Run: how fast, how many, how many failed, while a run goes on and after it."""

from __future__ import annotations

from grafana.parts import (
    RED,
    WIDTH,
    YELLOW,
    Chart,
    Sql,
    board,
    buckets,
    dashed,
    fill,
    from_prometheus,
    lines,
    note,
    number,
    promql,
    promql_buckets,
    rows,
)
from grafana_foundation_sdk.builders.dashboard import AnnotationQuery, Dashboard
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue

RECENT = "Over the last 10 s, as alerts use it, exact to the bucket (1 %)."
WHOLE = "Over the whole run so far, as Locust's own page shows it, exact to the bucket (1 %)."
ESTIMATE = "An estimate from classic Prometheus buckets, which may be far off between two of them."
ARRIVALS = (
    "Iterations per second that were to begin at a rate, and those of them that were dropped:"
    " no user was free, or the worker was late."
)
NO_ARRIVALS = "No users arrive at a rate"


def dashboard() -> Dashboard:
    run = board(
        "fleet-run",
        "Run",
        "One run. Choose it above; the time range must cover it (the list of runs at the bottom"
        " sets both). Percentiles say over what they are: the whole run, the last 10 s or one"
        " sample; what is an estimate is called one.",
    )
    run = run.with_variable(
        from_prometheus(
            "run",
            "Run",
            "The runs within the time range, the newest first.",
            "label_values(locust_run_info, run_id)",
            several=False,
        )
    )
    run = run.with_variable(
        from_prometheus(
            "endpoint",
            "Endpoint",
            "Names of requests, as the scenario gives them.",
            "label_values(locust_requests_total, name)",
            several=True,
        )
    )
    for annotation in _notes():
        run = run.annotation(annotation)
    return fill(
        run,
        {
            "Now": _now(),
            "Load": _load(),
            "Response times": _response_times(),
            "Failures": _failures(),
            "Recorded": _recorded(),
        },
    )


def during(expr: str) -> str:
    """Return a query's values at the moments at which the chosen run was active."""
    return f'({expr}) and on () locust_run_info{{run_id="$run"}}'


def recent(percentile: str, window: str = "recent") -> str:
    """Return the query for a percentile of all endpoints together."""
    return during(
        "max(locust_response_time_percentile_seconds"
        f'{{method="", name="Aggregated", percentile="{percentile}", window="{window}"}})'
    )


def counted(*runs: str) -> str:
    """Return tables for a WITH of what was counted of runs, one row an endpoint, and their length.

    Counted are the totals of a run that has ended, and the samples of one that goes on.
    """
    chosen = ", ".join(f"'{run}'" for run in runs)
    columns = "run_id, method, name, requests, failures, sum_ms, min_ms, max_ms, histogram"
    return f"""
        parts AS (
            SELECT {columns} FROM run_totals WHERE run_id IN ({chosen})
            UNION ALL
            SELECT {columns} FROM run_samples WHERE run_id IN ({chosen})
                AND NOT EXISTS (SELECT FROM run_totals WHERE run_totals.run_id = run_samples.run_id)
        ), counted AS MATERIALIZED (
            SELECT run_id, method, name, sum(requests)::float8 AS requests,
                sum(failures)::float8 AS failures, sum(sum_ms) AS sum_ms, min(min_ms) AS min_ms,
                max(max_ms) AS max_ms, histogram_merge(histogram) AS histogram
            FROM parts WHERE name IN ($endpoint)
            GROUP BY run_id, method, name
        ), lasted AS (
            SELECT id AS run_id, greatest(extract(epoch FROM coalesce(
                ended_at, (SELECT max(at) FROM run_progress WHERE run_id = runs.id), started_at
            ) - started_at), 1)::float8 AS seconds
            FROM runs WHERE id IN ({chosen})
        )
    """


def limit(alert: str) -> str:
    """Return the query for the value at which an alert is raised, nothing if it is switched off."""
    return f'max(locust_alert_threshold{{alert="{alert}"}}) > 0'


def _notes() -> list[AnnotationQuery]:
    return [
        note(
            "Runs start",
            "green",
            """
            SELECT started_at AS time, 'Run ' || id || ' of ' || started_by || ' starts: ' || users
                || ' users at ' || host AS text, 'start' AS tags
            FROM runs WHERE $__timeFilter(started_at)
            """,
        ),
        note(
            "Runs end",
            "blue",
            """
            SELECT ended_at AS time, 'Run ' || id || ': ' || state AS text, 'end' AS tags
            FROM runs WHERE $__timeFilter(ended_at)
            """,
        ),
        note(
            "Events",
            "orange",
            """
            SELECT at AS time, 'Run ' || run_id || ': ' || kind || ' ' || detail AS text,
                kind AS tags
            FROM run_events
            WHERE $__timeFilter(at) AND kind NOT IN ('started', 'finished', 'stopped')
            """,
        ),
    ]


def _now() -> list[Chart]:
    return [
        number(
            "Request rate",
            "All endpoints, over the last 10 s.",
            "reqps",
            promql(during("sum(locust_requests_per_second)")),
        ),
        number(
            "Failed",
            "Share of the requests of the last 10 s that failed.",
            "percent",
            promql(during("max(locust_error_rate_percent)")),
            steps={1: YELLOW, 5: RED},
        ),
        number(
            "p95, recent",
            f"95 % of the requests were not slower. {RECENT}",
            "s",
            promql(recent("0.95")),
            steps={1: YELLOW, 2: RED},
        ),
        number(
            "p95, run",
            f"95 % of the requests were not slower. {WHOLE}",
            "s",
            promql(recent("0.95", "run")),
            steps={1: YELLOW, 2: RED},
        ),
        number(
            "Users",
            "Users that run now.",
            "short",
            promql(during("sum(locust_current_users)")),
        ),
        number(
            "Running for",
            "Time since the start of the run.",
            "s",
            promql(during("time() - max(locust_run_started_timestamp_seconds > 0)")),
        ),
    ]


def _load() -> list[Chart]:
    return [
        lines(
            "Request rate by endpoint",
            "Requests per second, as Prometheus counts them between two of its looks.",
            "reqps",
            promql(
                during(
                    'sum by (method, name) (rate(locust_requests_total{name=~"$endpoint"}'
                    "[$__rate_interval])) > 0"
                ),
                "{{method}} {{name}}",
            ),
        ),
        lines(
            "Users",
            "Users that run, and users that were asked for.",
            "short",
            promql(during("sum(locust_current_users)"), "running"),
            promql(during("max(locust_target_users)"), "asked for"),
        ),
        # Workers report every 3 s and samples are 5 s long: over 15 s the two even out.
        lines(
            "Arrivals",
            f"{ARRIVALS} From Postgres, some seconds late.",
            "cps",
            Sql(
                """
                WITH steps AS (
                    SELECT run_id, seq, at, started_at,
                        extract(epoch FROM at - lag(at, 1, started_at) OVER (ORDER BY seq))
                            AS seconds
                    FROM run_progress JOIN runs ON runs.id = run_id
                    WHERE run_id = '$run'
                ), classes AS (
                    SELECT DISTINCT run_id, user_class FROM run_arrivals WHERE run_id = '$run'
                )
                SELECT date_bin('$__interval', at, started_at) AS time,
                    user_class || ' ' || counted AS metric,
                    coalesce(sum(iterations), 0)::float8 / greatest(sum(seconds), 0.001)::float8
                        AS value
                FROM steps JOIN classes USING (run_id)
                LEFT JOIN run_arrivals USING (run_id, seq, user_class)
                CROSS JOIN LATERAL (VALUES ('arrivals', arrivals), ('dropped', dropped))
                    AS kinds (counted, iterations)
                WHERE $__timeFilter(at)
                GROUP BY 1, 2 ORDER BY 1, 2
                """,
                series=True,
            ),
            width=WIDTH,
        )
        .interval("15s")
        .no_value(NO_ARRIVALS),
    ]


def _response_times() -> list[Chart]:
    names = {"0.5": "p50", "0.95": "p95", "0.99": "p99"}
    return [
        dashed(
            lines(
                "Response times of the last 10 s",
                f"All endpoints together. {RECENT} The limit is that of HighResponseTime.",
                "s",
                *(promql(recent(fraction), name) for fraction, name in names.items()),
                promql(limit("HighResponseTime"), "limit for p95"),
            ),
            "limit for p95",
        ),
        lines(
            "Response times of the run so far",
            f"All endpoints together. {WHOLE} It moves slowly: late trouble hardly shows.",
            "s",
            *(promql(recent(fraction, "run"), name) for fraction, name in names.items()),
        ),
        lines(
            "p95 of the last 10 s by endpoint",
            f"95 % of an endpoint's requests were not slower. {RECENT}",
            "s",
            promql(
                during(
                    "max by (method, name) (locust_response_time_percentile_seconds"
                    '{name=~"$endpoint", percentile="0.95", window="recent"})'
                ),
                "{{method}} {{name}}",
            ),
        ),
        lines(
            "p95 by endpoint, estimated",
            f"Between two looks of Prometheus, or more when the range is long. {ESTIMATE}",
            "s",
            promql(
                during(
                    "histogram_quantile(0.95, sum by (le, method, name) (rate("
                    'locust_request_duration_seconds_bucket{name=~"$endpoint"}[$__rate_interval]))'
                    ") >= 0"
                ),
                "{{method}} {{name}}",
            ),
        ),
        buckets(
            "How response times are spread",
            "Requests of the chosen endpoints in each classic Prometheus bucket, by its upper end:"
            " good for seeing two humps, no measure of a percentile.",
            promql_buckets(
                during(
                    "sum by (le) (increase("
                    'locust_request_duration_seconds_bucket{name=~"$endpoint"}[$__rate_interval]))'
                )
            ),
        ),
        lines(
            "Response times as recorded",
            "Chosen endpoints together, from Postgres. Percentiles over each sample (5 s), or over"
            " several of them when the range is long; exact to the bucket (1 %).",
            "ms",
            Sql(
                """
                SELECT date_bin('$__interval', at, runs.started_at) AS time,
                    histogram_percentile(histogram_merge(histogram), 0.5) AS p50,
                    histogram_percentile(histogram_merge(histogram), 0.95) AS p95,
                    histogram_percentile(histogram_merge(histogram), 0.99) AS p99
                FROM run_samples JOIN runs ON runs.id = run_samples.run_id
                WHERE run_id = '$run' AND run_samples.name IN ($endpoint)
                    AND $__timeFilter(at)
                GROUP BY 1 ORDER BY 1
                """,
                series=True,
            ),
        ).interval("5s"),
    ]


def _failures() -> list[Chart]:
    return [
        dashed(
            lines(
                "Failed requests",
                "Share of the requests of the last 10 s that failed. The limit is that of the alert"
                " HighErrorRate.",
                "percent",
                promql(during("max(locust_error_rate_percent)"), "failed"),
                promql(limit("HighErrorRate"), "limit"),
            ),
            "limit",
        ),
        lines(
            "Failures by error",
            "The ten most frequent errors, per second.",
            "reqps",
            promql(
                during(
                    'topk(10, sum by (error) (rate(locust_failures_total{name=~"$endpoint"}'
                    "[$__rate_interval])) > 0)"
                    ' or on () label_replace(vector(0), "error", "none", "", "")'
                ),
                "{{error}}",
            ),
        ),
    ]


def _recorded() -> list[Chart]:
    percentiles = dict.fromkeys(("Average", "p50", "p95", "p99", "Fastest", "Slowest"), "ms")
    return [
        rows(
            "Endpoints",
            "The chosen run from Postgres, some seconds late. Percentiles over the whole run, exact"
            " to the bucket (1 %): the numbers of the run's report.",
            Sql(
                f"""
                WITH {counted("$run")}
                SELECT coalesce(name, 'all chosen') AS "Endpoint", coalesce(method, '') AS "Method",
                    sum(requests) AS "Requests", sum(requests) / seconds AS "Rate",
                    sum(failures) AS "Failures",
                    100 * sum(failures) / nullif(sum(requests), 0) AS "Failed",
                    sum(sum_ms) / nullif(sum(requests), 0) AS "Average",
                    histogram_percentile(histogram_merge(histogram), 0.5) AS "p50",
                    histogram_percentile(histogram_merge(histogram), 0.95) AS "p95",
                    histogram_percentile(histogram_merge(histogram), 0.99) AS "p99",
                    min(min_ms) AS "Fastest", max(max_ms) AS "Slowest"
                FROM counted JOIN lasted USING (run_id)
                GROUP BY GROUPING SETS ((method, name, seconds), (seconds))
                ORDER BY grouping(name) DESC, 3 DESC
                """
            ),
            units={**percentiles, "Rate": "reqps", "Failed": "percent"},
        ),
        rows(
            "Errors",
            "Failures of the chosen run from Postgres, the most frequent first.",
            Sql(
                """
                SELECT error AS "Error", method AS "Method", name AS "Endpoint",
                    occurrences AS "Times"
                FROM run_failures WHERE run_id = '$run' AND name IN ($endpoint)
                ORDER BY occurrences DESC LIMIT 100
                """
            ),
            units={},
            width=12,
        ),
        rows(
            "Runs",
            "The last hundred runs, whatever the time range. A click on one shows it.",
            Sql(
                """
                SELECT id AS "Run", name AS "Name", state AS "State", users AS "Users",
                    host AS "Host", started_by AS "By", started_at AS "Started",
                    (extract(epoch FROM started_at)::bigint * 1000 - 15000)::text AS "from",
                    (extract(epoch FROM coalesce(ended_at, now()))::bigint * 1000 + 15000)::text
                        AS "to"
                FROM runs ORDER BY started_at DESC LIMIT 100
                """
            ),
            units={},
            width=12,
            hide=("from", "to"),
        ).override_by_name(
            "Run",
            [
                DynamicConfigValue(
                    "links",
                    [
                        {
                            "title": "Show this run",
                            "url": "/d/fleet-run?var-run=${__data.fields.Run}"
                            "&from=${__data.fields.from}&to=${__data.fields.to}",
                        }
                    ],
                )
            ],
        ),
    ]
