"""The dashboard Compare: two runs from Postgres, side by side and from their starts on."""

from __future__ import annotations

from grafana.parts import ALL, Chart, Sql, board, fill, from_postgres, lines, rows
from grafana.run import counted
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import TimeOption

# The panels draw both runs as if they had begun at this moment, so the clock shows the time since
# then.
START = "2000-01-01T00:00:00Z"
RUNS = """
    SELECT id AS __value, id || coalesce(' ' || nullif(name, ''), '') AS __text
    FROM runs
"""
CHOSEN = "(VALUES ('before', '$before'), ('after', '$after')) AS chosen (side, run_id)"
# The samples of both runs, each with the time since the start of its run and how long it took.
STEPS = f"""
    steps AS (
        SELECT side, progress.run_id, seq, progress.users,
            timestamptz '{START}' + (at - started_at) AS since_start,
            extract(epoch FROM at - lag(at, 1, started_at) OVER (PARTITION BY side ORDER BY seq))
                AS seconds
        FROM {CHOSEN}
        JOIN runs ON runs.id = chosen.run_id
        JOIN run_progress AS progress ON progress.run_id = runs.id
    ), counted AS (
        SELECT side, date_bin('$__interval', since_start, timestamptz '{START}') AS time,
            sum(requests)::float8 AS requests, sum(failures)::float8 AS failures,
            histogram_merge(histogram) AS histogram
        FROM steps JOIN run_samples USING (run_id, seq)
        WHERE name IN ($endpoint) AND $__timeFilter(since_start)
        GROUP BY 1, 2
    ), lasted AS (
        SELECT side, date_bin('$__interval', since_start, timestamptz '{START}') AS time,
            greatest(sum(seconds), 0.001)::float8 AS seconds, avg(users)::float8 AS users
        FROM steps WHERE $__timeFilter(since_start)
        GROUP BY 1, 2
    )
"""
MILLISECONDS = dict.fromkeys(("Average", "p50", "p95", "p99", "Slowest"), "ms")


def dashboard() -> builders.Dashboard:
    compare = board(
        "fleet-compare",
        "Compare",
        "Two runs from Postgres. The clock of the charts is the time since each run began: both are"
        " drawn as if they had begun at midnight of 2000-01-01. Percentiles are over the whole run,"
        " or over one sample (5 s) in charts, exact to the bucket (1 %).",
    )
    compare = compare.timezone("utc").time(START, _after(60)).refresh("")
    compare = compare.timepicker(builders.TimePicker().quick_ranges(_ranges()))
    for variable in _variables():
        compare = compare.with_variable(variable)
    return fill(compare, {"Both runs": _tables(), "Since the start": _charts()})


def _variables() -> list[builders.QueryVariable]:
    second = "(SELECT id FROM runs ORDER BY started_at DESC OFFSET 1 LIMIT 1)"
    endpoint = from_postgres(
        "endpoint",
        "Endpoint",
        "Names of requests of either run.",
        """
        SELECT DISTINCT name AS __value, name AS __text FROM run_samples
        WHERE run_id IN ('$before', '$after') ORDER BY 1
        """,
    )
    return [
        from_postgres(
            "before",
            "Before",
            "The run to compare with; the last but one, unless chosen.",
            f"{RUNS} ORDER BY coalesce(id = {second}, false) DESC, started_at DESC LIMIT 500",
        ),
        from_postgres(
            "after",
            "After",
            "The run to look at; the last one, unless chosen.",
            f"{RUNS} ORDER BY started_at DESC LIMIT 500",
        ),
        endpoint.multi(True).include_all(True).current(ALL),
    ]


def _tables() -> list[Chart]:
    return [
        rows(
            "Runs",
            "What was asked for, and what came of it for the chosen endpoints together. Percentiles"
            " over the whole run, exact to the bucket (1 %).",
            Sql(
                f"""
                WITH {counted("$before", "$after")}
                SELECT side AS "Side", run_id AS "Run", runs.name AS "Name", state AS "State",
                    host AS "Host", users AS "Users", started_at AS "Started",
                    seconds AS "Duration", sum(requests) AS "Requests",
                    sum(requests) / seconds AS "Rate",
                    100 * sum(failures) / nullif(sum(requests), 0) AS "Failed",
                    sum(sum_ms) / nullif(sum(requests), 0) AS "Average",
                    histogram_percentile(histogram_merge(histogram), 0.5) AS "p50",
                    histogram_percentile(histogram_merge(histogram), 0.95) AS "p95",
                    histogram_percentile(histogram_merge(histogram), 0.99) AS "p99",
                    max(max_ms) AS "Slowest"
                FROM {CHOSEN}
                JOIN runs ON runs.id = chosen.run_id
                JOIN lasted USING (run_id)
                JOIN counted USING (run_id)
                GROUP BY side, run_id, runs.id, seconds
                ORDER BY side DESC
                """
            ),
            units={**MILLISECONDS, "Duration": "s", "Rate": "reqps", "Failed": "percent"},
            height=6,
        ),
        rows(
            "Endpoints",
            "Each endpoint before and after. Percentiles over the whole run, exact to the bucket"
            " (1 %); the change is that of p95, in per cent of before.",
            Sql(
                f"""
                WITH {counted("$before", "$after")}, ends AS (
                    SELECT side, method, name, requests, requests / seconds AS rate,
                        100 * failures / nullif(requests, 0) AS failed,
                        histogram_percentile(histogram, 0.5) AS p50,
                        histogram_percentile(histogram, 0.95) AS p95,
                        histogram_percentile(histogram, 0.99) AS p99
                    FROM {CHOSEN}
                    JOIN lasted USING (run_id)
                    JOIN counted USING (run_id)
                ), a AS (
                    SELECT * FROM ends WHERE side = 'before'
                ), b AS (
                    SELECT * FROM ends WHERE side = 'after'
                )
                SELECT name AS "Endpoint", method AS "Method",
                    a.requests AS "Requests before", b.requests AS "Requests after",
                    a.rate AS "Rate before", b.rate AS "Rate after",
                    a.failed AS "Failed before", b.failed AS "Failed after",
                    a.p50 AS "p50 before", b.p50 AS "p50 after",
                    a.p95 AS "p95 before", b.p95 AS "p95 after",
                    a.p99 AS "p99 before", b.p99 AS "p99 after",
                    100 * (b.p95 / nullif(a.p95, 0) - 1) AS "Change of p95"
                FROM a FULL JOIN b USING (method, name)
                ORDER BY greatest(a.requests, b.requests) DESC
                """
            ),
            units={
                f"{name} {side}": unit
                for name, unit in {
                    "Rate": "reqps",
                    "Failed": "percent",
                    "p50": "ms",
                    "p95": "ms",
                    "p99": "ms",
                }.items()
                for side in ("before", "after")
            }
            | {"Change of p95": "percent"},
        ),
    ]


def _charts() -> list[Chart]:
    fractions = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
    percentiles = [
        _chart(
            name,
            f"{name} of the chosen endpoints together, over each sample (5 s) or several of them"
            " when the range is long; exact to the bucket (1 %).",
            "ms",
            f"histogram_percentile(histogram, {fraction})",
        )
        for name, fraction in fractions.items()
    ]
    return [
        _chart(
            "Request rate",
            "Requests per second of the chosen endpoints.",
            "reqps",
            "coalesce(requests, 0) / seconds",
        ),
        _chart("Users", "Users that ran.", "short", "users"),
        *percentiles,
        _chart(
            "Failed requests",
            "Share of the chosen endpoints' requests that failed.",
            "percent",
            "100 * failures / nullif(requests, 0)",
        ),
    ]


def _chart(title: str, tells: str, unit: str, value: str) -> Chart:
    query = f"""
        WITH {STEPS}
        SELECT time, side AS metric, {value} AS value
        FROM lasted LEFT JOIN counted USING (side, time)
        ORDER BY time, side DESC
    """
    return lines(title, tells, unit, Sql(query, series=True)).interval("5s")


def _ranges() -> list[Builder[TimeOption]]:
    named = {10: "10 minutes", 30: "30 minutes", 60: "hour", 240: "4 hours", 720: "12 hours"}
    return [
        builders.TimeOption().display(f"First {name}").from_val(START).to(_after(minutes))
        for minutes, name in named.items()
    ]


def _after(minutes: int) -> str:
    return f"2000-01-01T{minutes // 60:02}:{minutes % 60:02}:00Z"
