"""What dashboards ask Postgres finds the runs that the product wrote, with the right numbers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from locust_fleet.election.leadership import Leadership
from locust_fleet.master.results.recorder import Recorder
from locust_fleet.master.results.run import Run
from locust_fleet.master.results.shipper import Shipper
from locust_fleet.master.results.spool import Spool
from locust_fleet.protocol.histogram import merge, percentile
from locust_fleet.settings.master import MasterSettings
from locust_fleet.settings.stores import PostgresSettings
from tests.support.panels import Query, View, dashboards, queries, sql

ENDPOINTS = ["/", "/it's"]
SAMPLES = 24
NOW = datetime.now(UTC).replace(microsecond=0)
TABLES = "runs, run_samples, run_progress, run_totals, run_failures, run_events, run_arrivals"
QUERIES = [
    query for board in dashboards() for query in queries(board) if query.source == "postgres"
]


def report(slowness: int) -> Any:
    """Return what a worker reports: two endpoints, one of which fails at times, and arrivals."""
    return {
        "stats": [
            {
                "method": "GET",
                "name": name,
                "num_requests": 20,
                "num_failures": 1,
                "total_response_time": 20.0 * slowness,
                "min_response_time": 1.0,
                "max_response_time": 5.0 * slowness,
                "total_content_length": 100,
                "response_times": {slowness: 15, 2 * slowness: 4, 5 * slowness: 1},
            }
            for name in ENDPOINTS
        ],
        "errors": {"key": {"method": "GET", "name": "/", "error": "boom", "occurrences": 1}},
        "fleet_arrived": {"Shopper": [50, 5], "Guest": [10, 0]},
    }


def record(recorder: Recorder, slowness: int) -> Run:
    """Record a run; a worker leaves in its middle."""
    run = recorder.start(
        locustfile="a.py", host="http://a", users=10, spawn_rate=2, run_time_s=60, now=NOW
    )
    for number in range(SAMPLES):
        recorder.count("w1", report(slowness + number))
        workers = ["w1", "w2"] if number < SAMPLES / 2 else ["w1"]
        recorder.close_sample(users=10, target_users=10, workers=workers)
    return run


@pytest.fixture
def runs(
    tmp_path: Path, postgres_settings: PostgresSettings, connection: psycopg.Connection
) -> list[Run]:
    """Two runs of two minutes, two hours and one hour ago; the second goes on."""
    env = {"FRONT_SECRET": "s", "POSTGRES_PASSWORD": "p"}
    settings = replace(
        MasterSettings.from_env(env),
        postgres=postgres_settings,
        spool_dir=tmp_path / "spool",
        reports_dir=tmp_path / "reports",
    )
    spool = Spool(settings.spool_dir)
    recorder = Recorder(spool, "v1")
    first = record(recorder, 100)
    recorder.stop()
    second = record(recorder, 130)
    shipper = Shipper(spool, settings, Leadership(None, 1, 1))
    shipper.ship()
    shipper.close()
    # The product wrote all of it within a second; spread it as five seconds a sample would.
    for run, age in ((first, timedelta(hours=2)), (second, timedelta(hours=1))):
        begin = NOW - age
        connection.execute(
            "UPDATE runs SET started_at = %s, ended_at = ended_at - %s WHERE id = %s",
            (begin, age, run.id),
        )
        for table in ("run_samples", "run_progress"):
            spread = f"UPDATE {table} SET at = %s + seq * interval '5 s' WHERE run_id = %s"
            connection.execute(spread.encode(), (begin, run.id))
        connection.execute(
            "UPDATE run_events SET at = %s + interval '1 min' WHERE run_id = %s", (begin, run.id)
        )
    return [first, second]


@pytest.fixture
def reader(connection: psycopg.Connection, runs: list[Run]) -> psycopg.Connection:
    """A connection that may do what Grafana's may: read the results."""
    connection.execute("DROP ROLE IF EXISTS panels")
    connection.execute("CREATE ROLE panels")
    connection.execute(f"GRANT SELECT ON {TABLES} TO panels".encode())
    connection.execute("SET ROLE panels")
    return connection


def ask(
    connection: psycopg.Connection, query: Query, runs: list[Run], endpoints: list[str] = ENDPOINTS
) -> list[dict[str, Any]]:
    """Look at both runs as Grafana would: at their time, or in Compare at their first hour."""
    begin, end = NOW - timedelta(hours=3), NOW
    if query.dashboard == "Compare":
        begin = datetime(2000, 1, 1, tzinfo=UTC)
        end = begin + timedelta(hours=1)
    first, second = runs
    chosen = {"run": second.id, "before": first.id, "after": second.id}
    text = sql(query, View(begin, end, chosen, {"endpoint": endpoints}))
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(text.encode()).fetchall()


def query(board: str, panel: str) -> Query:
    [found] = [query for query in QUERIES if (query.dashboard, query.panel) == (board, panel)]
    return found


def expected(connection: psycopg.Connection, run: Run, endpoint: str, fraction: float) -> Any:
    """Return a run's percentile of an endpoint, as Python finds it in the samples."""
    rows = connection.execute(
        "SELECT histogram FROM run_samples WHERE run_id = %s AND name = %s", (run.id, endpoint)
    )
    return percentile(merge(histogram for (histogram,) in rows), fraction)


def test_every_query_of_every_dashboard_finds_something(
    reader: psycopg.Connection, runs: list[Run]
) -> None:
    empty = [str(query) for query in QUERIES if not ask(reader, query, runs)]

    assert not empty


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_the_percentiles_of_a_run_are_those_of_python(
    connection: psycopg.Connection, runs: list[Run], endpoint: str
) -> None:
    rows = ask(connection, query("Run", "Endpoints"), runs)

    [row] = [row for row in rows if row["Endpoint"] == endpoint]
    for name, fraction in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
        assert row[name] == expected(connection, runs[1], endpoint, fraction)


def test_a_run_is_counted_once_with_its_failures_and_rate(
    connection: psycopg.Connection, runs: list[Run]
) -> None:
    [row, *_] = ask(connection, query("Run", "Endpoints"), runs)

    assert row["Endpoint"] == "all chosen"
    assert row["Requests"] == 2 * 20 * SAMPLES
    assert row["Failed"] == 5
    assert row["Rate"] == 2 * 20 / 5


@pytest.mark.parametrize("panel", ["Response times as recorded", "Endpoints"])
def test_only_the_chosen_endpoints_count(
    connection: psycopg.Connection, runs: list[Run], panel: str
) -> None:
    assert ask(connection, query("Run", panel), runs, ENDPOINTS[:1])
    assert not ask(connection, query("Run", panel), runs, ["/none"])


def test_arrivals_and_those_dropped_are_rates_of_each_class(
    connection: psycopg.Connection, runs: list[Run]
) -> None:
    """In one interval nothing arrived."""
    quiet = "DELETE FROM run_arrivals WHERE run_id = %s AND user_class = 'Guest' AND seq = 7"
    connection.execute(quiet, (runs[1].id,))

    rows = ask(connection, query("Run", "Arrivals"), runs)

    rates: dict[str, list[float]] = {}
    for row in rows:
        rates.setdefault(row["metric"], []).append(row["value"])
    assert rates == {
        "Shopper arrivals": [50 / 5] * SAMPLES,
        "Shopper dropped": [5 / 5] * SAMPLES,
        "Guest arrivals": [10 / 5] * 6 + [0] + [10 / 5] * (SAMPLES - 7),
        "Guest dropped": [0] * SAMPLES,
    }


def test_a_run_without_arrivals_has_none(connection: psycopg.Connection, runs: list[Run]) -> None:
    connection.execute("DELETE FROM run_arrivals WHERE run_id = %s", (runs[1].id,))

    assert not ask(connection, query("Run", "Arrivals"), runs)


def test_two_runs_stand_side_by_side_whether_they_ended_or_not(
    connection: psycopg.Connection, runs: list[Run]
) -> None:
    rows = ask(connection, query("Compare", "Endpoints"), runs)

    for row in rows:
        before = expected(connection, runs[0], row["Endpoint"], 0.95)
        after = expected(connection, runs[1], row["Endpoint"], 0.95)
        assert (row["p95 before"], row["p95 after"]) == (before, after)
        assert row["Change of p95"] == pytest.approx(100 * (after / before - 1))
    assert len(rows) == len(ENDPOINTS)


def test_both_runs_begin_at_the_same_moment_of_the_chart(
    connection: psycopg.Connection, runs: list[Run]
) -> None:
    rows = ask(connection, query("Compare", "Request rate"), runs)

    times = {
        side: [row["time"] for row in rows if row["metric"] == side] for side in ("before", "after")
    }
    assert times["before"] == times["after"]
    assert times["before"][0] == datetime(2000, 1, 1, 0, 0, 5, tzinfo=UTC)
    assert len(times["before"]) == SAMPLES
    assert {row["value"] for row in rows} == {2 * 20 / 5}


def test_a_run_is_compared_with_the_one_before_it_unless_chosen(
    connection: psycopg.Connection, runs: list[Run]
) -> None:
    first = {
        name: ask(connection, query("Compare", f"variable {name}"), runs)[0]["__value"]
        for name in ("before", "after")
    }

    assert first == {"before": runs[0].id, "after": runs[1].id}
