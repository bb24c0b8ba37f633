"""What the spool holds reaches Postgres once, whole, whatever happens on the way."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from locust_fleet.election.leadership import Leadership
from locust_fleet.errors import LeadershipLost, MigrationError, StoreUnavailable
from locust_fleet.master.results import database
from locust_fleet.master.results.recorder import Recorder
from locust_fleet.master.results.run import utc_now
from locust_fleet.master.results.shipper import Shipper
from locust_fleet.master.results.spool import Spool
from locust_fleet.runtime import postgres
from locust_fleet.settings.master import MasterSettings
from locust_fleet.settings.stores import PostgresSettings
from tests.support.postgres import MIGRATIONS

NOW = utc_now()


def report(requests: int, *, failures: int = 0) -> Any:
    return {
        "stats": [
            {
                "method": "GET",
                "name": "/",
                "num_requests": requests,
                "num_failures": failures,
                "total_response_time": 10.0 * requests,
                "min_response_time": 10.0,
                "max_response_time": 20.0,
                "total_content_length": 5 * requests,
                "response_times": {10: requests - 1, 20: 1},
            }
        ],
        "errors": {"key": {"method": "GET", "name": "/", "error": "boom", "occurrences": failures}}
        if failures
        else {},
    }


@pytest.fixture
def settings(tmp_path: Path, postgres_settings: PostgresSettings) -> MasterSettings:
    env = {"FRONT_SECRET": "s", "POSTGRES_PASSWORD": "p", "RESULTS_RETENTION_DAYS": "30"}
    return replace(
        MasterSettings.from_env(env),
        postgres=postgres_settings,
        spool_dir=tmp_path / "spool",
        reports_dir=tmp_path / "reports",
    )


@pytest.fixture
def spool(settings: MasterSettings) -> Spool:
    return Spool(settings.spool_dir)


@pytest.fixture
def recorder(spool: Spool) -> Recorder:
    recorder = Recorder(spool, "v1")
    recorder.start(
        locustfile="a.py", host="http://a", users=10, spawn_rate=2, run_time_s=60, now=NOW
    )
    return recorder


@pytest.fixture
def shipper(spool: Spool, settings: MasterSettings) -> Iterator[Shipper]:
    shipper = Shipper(spool, settings, Leadership(None, 1, 1))
    yield shipper
    shipper.close()


def close_sample(recorder: Recorder) -> None:
    recorder.close_sample(users=10, target_users=10, workers=["w1"])


def test_a_run_its_samples_and_totals_are_in_postgres(
    recorder: Recorder, shipper: Shipper, connection: psycopg.Connection
) -> None:
    recorder.count("w1", report(5, failures=1))
    close_sample(recorder)
    recorder.count("w1", report(7, failures=2))
    close_sample(recorder)
    recorder.stop()

    shipper.ship()

    totals = connection.execute(
        "SELECT requests, failures, sum_ms, min_ms, max_ms, histogram FROM run_totals"
    ).fetchall()
    assert totals == [(12, 3, 120.0, 10.0, 20.0, {"10.0": 10, "20.0": 2})]
    failures = connection.execute("SELECT error, occurrences FROM run_failures").fetchall()
    assert failures == [("boom", 3)]


def test_times_from_the_intended_start_and_arrivals_are_in_postgres(
    recorder: Recorder, shipper: Shipper, connection: psycopg.Connection
) -> None:
    twins = [{**report(3)["stats"][0], "response_times": {10: 1, 510: 2}}]
    for _ in range(2):
        arrived = {"Shopper": [4, 1]}
        recorder.count("w1", {**report(3), "fleet_twins": twins, "fleet_arrived": arrived})
        close_sample(recorder)
    recorder.stop()

    shipper.ship()

    totals = connection.execute("SELECT requests, corrected FROM run_totals").fetchall()
    assert totals == [(6, {"10": 2, "510": 4})]
    arrivals = connection.execute("SELECT seq, user_class, arrivals, dropped FROM run_arrivals")
    assert arrivals.fetchall() == [(1, "Shopper", 4, 1), (2, "Shopper", 4, 1)]


def test_a_record_of_a_version_that_knew_no_arrivals_is_written(
    recorder: Recorder, spool: Spool, connection: psycopg.Connection
) -> None:
    recorder.count("w1", report(5))
    close_sample(recorder)
    recorder.stop()

    for path in spool.pending():
        record = spool.read(path)
        record.pop("arrivals", None)
        for endpoint in record.get("endpoints", ()):
            del endpoint["corrected"]
        database.write(connection, record, 1)

    totals = connection.execute("SELECT requests, corrected FROM run_totals").fetchall()
    assert totals == [(5, None)]


def test_writing_everything_twice_changes_nothing(
    recorder: Recorder, spool: Spool, connection: psycopg.Connection
) -> None:
    recorder.count("w1", report(5, failures=1))
    close_sample(recorder)
    recorder.audit("alice", "", "start", "no")
    recorder.stop()

    for _ in range(2):
        for path in spool.pending():
            database.write(connection, spool.read(path), 1)

    counted = connection.execute(
        "SELECT (SELECT sum(requests) FROM run_samples), (SELECT sum(requests) FROM run_totals),"
        " (SELECT sum(occurrences) FROM run_failures), (SELECT count(*) FROM run_events),"
        " (SELECT count(*) FROM audit_log)"
    ).fetchone()
    assert counted == (5, 5, 1, 1, 1)


def test_a_leader_of_an_earlier_epoch_writes_nothing_and_learns_of_the_later_one(
    recorder: Recorder, spool: Spool, settings: MasterSettings, connection: psycopg.Connection
) -> None:
    close_sample(recorder)
    before = spool.pending()
    database.write(connection, spool.read(before[0]), 8)
    shipper = Shipper(spool, settings, Leadership(None, 7, 1))

    with pytest.raises(LeadershipLost) as error, closing(shipper):
        shipper.ship()

    assert error.value.epoch == database.highest_epoch(connection) == 8
    assert spool.pending() == before
    assert connection.execute("SELECT count(*) FROM runs").fetchone() == (0,)


def test_results_wait_while_postgres_is_away(
    recorder: Recorder, spool: Spool, settings: MasterSettings
) -> None:
    away = replace(settings, postgres=replace(settings.postgres, port=1))
    close_sample(recorder)
    before = spool.pending()

    with pytest.raises(StoreUnavailable, match="does not answer"):
        Shipper(spool, away, Leadership(None, 1, 1)).ship()

    assert spool.pending() == before


@pytest.mark.parametrize(
    "text",
    [
        '{"kind": "event", "id": "no uuid", "run_id": "x", "at": "never", "detail": {}}',
        '{"kind": "sample", "run_id": []}',
        '{"kind": {}}',
        '{"kind": "unheard of"}',
        "[]",
        "5",
        "",
        '{"kind":',
        "\ud800",
    ],
)
def test_a_record_that_postgres_never_takes_is_put_aside_and_the_rest_goes_on(
    recorder: Recorder, spool: Spool, shipper: Shipper, connection: psycopg.Connection, text: str
) -> None:
    spool.put({})
    spool.pending()[-1].write_bytes(text.encode("utf-8", "surrogatepass"))
    recorder.audit("alice", "", "start", "no")

    shipper.ship()

    assert (spool.pending(), spool.rejected()) == ([], 1)
    assert connection.execute("SELECT count(*) FROM audit_log").fetchone() == (1,)


def test_a_run_that_its_master_left_open_is_lost_with_its_totals(
    recorder: Recorder, spool: Spool, shipper: Shipper, connection: psycopg.Connection
) -> None:
    recorder.count("w1", report(5))
    close_sample(recorder)

    Recorder(spool, "v1")
    shipper.ship()

    assert connection.execute("SELECT state FROM runs").fetchone() == ("lost",)
    assert connection.execute("SELECT requests FROM run_totals").fetchone() == (5,)


def test_old_runs_go_with_everything_that_belongs_to_them(
    recorder: Recorder,
    shipper: Shipper,
    settings: MasterSettings,
    connection: psycopg.Connection,
) -> None:
    close_sample(recorder)
    recorder.stop()
    shipper.ship()
    assert recorder.run is not None
    reports = settings.reports_dir / recorder.run.id
    reports.mkdir(parents=True)
    connection.execute("UPDATE runs SET ended_at = now() - %s", (timedelta(days=31),))

    removed = database.remove_old_runs(connection, 30, settings.reports_dir)

    assert removed == [recorder.run.id]
    assert not reports.exists()
    assert connection.execute("SELECT count(*) FROM run_progress").fetchone() == (0,)


def test_young_runs_stay(
    recorder: Recorder,
    shipper: Shipper,
    settings: MasterSettings,
    connection: psycopg.Connection,
) -> None:
    recorder.stop()
    shipper.ship()

    assert database.remove_old_runs(connection, 30, settings.reports_dir) == []


def test_migrating_twice_is_harmless(connection: psycopg.Connection) -> None:
    assert postgres.migrate(connection, MIGRATIONS) == []


def test_a_failed_migration_changes_nothing(connection: psycopg.Connection, tmp_path: Path) -> None:
    for file in MIGRATIONS.glob("*.sql"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "9998_good.sql").write_text("CREATE TABLE good (n integer);")
    (tmp_path / "9999_bad.sql").write_text("CREATE TABLE half (n integer); SELECT wrong;")

    with pytest.raises(MigrationError, match=r"9999_bad\.sql failed and nothing was changed"):
        postgres.migrate(connection, tmp_path)

    tables = connection.execute("SELECT to_regclass('good'), to_regclass('half')").fetchone()
    assert tables == (None, None)


def test_a_folder_without_migrations_is_an_error(
    connection: psycopg.Connection, tmp_path: Path
) -> None:
    with pytest.raises(MigrationError, match="holds no migration"):
        postgres.migrate(connection, tmp_path)
