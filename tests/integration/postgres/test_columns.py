"""Whatever workers and people send, each column of Postgres takes what we write into it."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from logging import WARNING
from pathlib import Path
from typing import Any

import psycopg
import pytest

from locust_fleet.console.access import accounts, audit, tokens
from locust_fleet.console.access.roles import Role
from locust_fleet.console.routes import alerts
from locust_fleet.election.leadership import Leadership
from locust_fleet.master.results.recorder import LEADER_CHANGED, Recorder
from locust_fleet.master.results.run import utc_now
from locust_fleet.master.results.shipper import Shipper
from locust_fleet.master.results.spool import Spool
from locust_fleet.notify import backoff, outbox
from locust_fleet.notify.channels.delivery_result import Answer, Result
from locust_fleet.settings.master import MasterSettings
from locust_fleet.settings.stores import PostgresSettings

# What travels in a message, a form or a header, and what no column holds as it is.
TEXTS = ["\x00", "\ud800", "\x00\ud800" + "\U0001f4a5" * 20_000, "x" * 50_000, "", "a\nb\x1b[0m"]
COUNTS = [2**64 - 1, 2**63, -(2**63), 3_000_000_000, -1, 1e308, math.nan, math.inf, 1.5, 0]
TIMES = [math.nan, math.inf, -math.inf, 1e308, -1e308, 2**64 - 1, 5e-324, -1.0]
# Nothing writes these: a verdict is planned, and what is revoked is in a row of its own.
UNUSED = {("runs", "verdict")}


@pytest.fixture
def shipper(tmp_path: Path, postgres_settings: PostgresSettings) -> Iterator[Shipper]:
    env = {
        "FRONT_SECRET": "s",
        "POSTGRES_HOST": postgres_settings.host,
        "POSTGRES_PORT": str(postgres_settings.port),
        "POSTGRES_DB": postgres_settings.database,
        "POSTGRES_USER": postgres_settings.user,
        "POSTGRES_PASSWORD": postgres_settings.password,
    }
    shipper = Shipper(Spool(tmp_path), MasterSettings.from_env(env), Leadership(None, 2**53, 1))
    yield shipper
    shipper.close()


def report(count: float = 1, ms: float = 1.0, text: str = "x") -> dict[str, Any]:
    """Return what a worker may say, with the same extreme wherever it fits."""
    # Of a histogram only whole numbers are let in where reports are read.
    met = count if isinstance(count, int) else 1
    entry = {
        "method": text,
        "name": text,
        "num_requests": count,
        "num_failures": count,
        "total_response_time": ms,
        "min_response_time": ms,
        "max_response_time": ms,
        "total_content_length": count,
        "response_times": {ms: met, 1.0: met},
    }
    failure = {"method": text, "name": text, "error": text, "occurrences": count}
    return {
        "stats": [entry],
        "errors": {"key": failure},
        "fleet_twins": [entry],
        "fleet_arrived": {text: [count, count]},
    }


def record_all(spool: Spool) -> None:
    """Run a test of which everything is extreme, and another one that is lost."""
    recorder = Recorder(spool, "v1")
    for text in TEXTS:
        recorder.expect(started_by=text, name=text, run_time_s=1e15)
        recorder.start(
            locustfile=text,
            host=text,
            users=3_000_000_000,
            spawn_rate=1e308,
            run_time_s=math.inf,
            now=utc_now(),
        )
        # Each twice, for what only the sum is too much of.
        for extreme in 2 * [
            *(report(count=count) for count in COUNTS),
            *(report(ms=ms) for ms in TIMES),
            *(report(text=text) for text in TEXTS),
        ]:
            recorder.count("w1", extreme)
            recorder.close_sample(users=2**64 - 1, target_users=2**63, workers=["w1"])
        recorder.event("target refused", {"worker": text, text: [{text: TIMES + COUNTS}]})
        recorder.event(LEADER_CHANGED, {"leader": text})
        recorder.audit(text, text, text, text)
        recorder.stopped_by = text
        recorder.stop()
    recorder.start(locustfile="x", host="x", users=1, spawn_rate=1, run_time_s=None, now=utc_now())
    Recorder(spool, "v1")


def test_no_number_and_no_text_of_a_run_is_refused(
    tmp_path: Path,
    shipper: Shipper,
    connection: psycopg.Connection,
    caplog: pytest.LogCaptureFixture,
) -> None:
    spool = Spool(tmp_path)
    record_all(spool)

    shipper.ship()

    assert [each.getMessage()[:500] for each in caplog.records if each.levelno > WARNING] == []
    assert (spool.pending(), spool.rejected()) == ([], 0)
    states = connection.execute("SELECT state, count(*) FROM runs GROUP BY state").fetchall()
    assert sorted(states) == [("finished", 1), ("lost", 1), ("stopped", len(TEXTS) - 1)]


def test_what_was_stored_can_be_read_by_pages_and_dashboards(
    tmp_path: Path, shipper: Shipper, connection: psycopg.Connection
) -> None:
    record_all(Spool(tmp_path))
    shipper.ship()

    for table in ("run_samples", "run_totals"):
        connection.execute(
            f"SELECT histogram_percentile(histogram, 0.5), histogram_percentile(corrected, 0.5),"
            f" sum(requests) OVER ()::bigint, sum(sum_ms) OVER () FROM {table}"
        ).fetchall()


def test_each_column_is_written_by_one_of_these_tests(
    tmp_path: Path, shipper: Shipper, connection: psycopg.Connection
) -> None:
    record_all(Spool(tmp_path))
    shipper.ship()
    write_as_console(connection)
    write_as_notifier(connection)

    unwritten = {
        (table, column)
        for table, column in connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name <> 'schema_migrations'"
        )
        if not connection.execute(
            f'SELECT 1 FROM "{table}" WHERE "{column}" IS NOT NULL LIMIT 1'
        ).fetchone()
    }
    assert unwritten == UNUSED


def write_as_console(connection: psycopg.Connection) -> None:
    """Write accounts, tokens, audit entries and alerts, each as long and strange as can be."""
    name = "x" * 64
    for each in (name, "second"):
        accounts.add(connection, each, "hash", Role.ADMIN)
    accounts.disable(connection, name)
    tokens.create(connection, name, Role.VIEWER, tokens.LONGEST_LIFE, name)
    [token] = tokens.read_all(connection)
    tokens.note_use(connection, [token.id])
    tokens.revoke(connection, token.id)
    log = audit.AuditLog(lambda: connection)
    for text in TEXTS:
        log.note(text, text, text, {"a": text}, allowed=False)
    log.flush()
    assert log.dropped == 0
    notification = {
        "alerts": [
            {
                "status": "firing",
                "labels": {text: text, "alertname": text, "severity": text, "run_id": text},
                "annotations": dict.fromkeys(alerts.LONGEST, text),
                "startsAt": moment,
                "fingerprint": text,
            }
            for text in TEXTS
            for moment in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z")
        ]
    }
    alerts.store(connection, alerts.read(notification))


def write_as_notifier(connection: psycopg.Connection) -> None:
    """Deliver what there is to a channel that answers strangely."""
    outbox.create_deliveries(connection, ["slack"])
    for text in TEXTS:
        delivery = outbox.claim(connection, "slack")
        assert delivery is not None
        answer = Answer(Result.LATER, text, retry_after_s=1e300)
        outbox.record(connection, delivery, answer, backoff.decide(answer, delivery.tries, 0))
        connection.execute("UPDATE outbox_channels SET not_before = now()")
    assert datetime.now(UTC) < max(
        row[0] for row in connection.execute("SELECT next_try_at FROM outbox_deliveries")
    )
