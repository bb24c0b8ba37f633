"""Write records of the spool into Postgres. Writing a record twice has no effect."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from shutil import rmtree
from typing import Any, LiteralString

import psycopg
from psycopg.types.json import Jsonb

from locust_fleet.errors import LeadershipLost
from locust_fleet.master.results.recorder import LEADER_CHANGED
from locust_fleet.master.results.spool import Record
from locust_fleet.notify import outbox, run_messages
from locust_fleet.notify.message import Message
from locust_fleet.runtime.postgres import Connection

RETENTION_LOCK = 7_305_615

logger = logging.getLogger(__name__)


def write(connection: Connection, record: Record, epoch: int) -> None:
    """Write one record in a transaction, for the leader of an epoch.

    Raises LeadershipLost when a later leader has written, psycopg.OperationalError when Postgres
    is unavailable, another psycopg.Error or KeyError when the record can never be written.
    """
    with connection.transaction():
        _fence(connection, epoch)
        WRITERS[record["kind"]](connection, record)


def highest_epoch(connection: Connection) -> int:
    """Return the epoch of the latest leader that has written to Postgres."""
    return _epoch(connection, "SELECT epoch FROM leadership")


def _fence(connection: Connection, epoch: int) -> None:
    """Fence out leaders of earlier epochs, and block later ones until this transaction ends."""
    connection.execute(
        "UPDATE leadership SET epoch = %(epoch)s WHERE epoch < %(epoch)s", {"epoch": epoch}
    )
    highest = _epoch(connection, "SELECT epoch FROM leadership FOR SHARE")
    if highest > epoch:
        raise LeadershipLost(f"Postgres has records of epoch {highest}", highest)


def _epoch(connection: Connection, query: LiteralString) -> int:
    row = connection.execute(query).fetchone()
    assert row is not None, "the table leadership always has one row"
    return int(row[0])


def remove_old_runs(connection: Connection, days: int, reports_dir: Path) -> list[str]:
    """Delete runs that ended more than so many days ago, and their files; return their ids."""
    with connection.transaction():
        locked = connection.execute(
            "SELECT pg_try_advisory_xact_lock(%s)", (RETENTION_LOCK,)
        ).fetchone()
        if locked != (True,):
            return []
        rows = connection.execute(
            "DELETE FROM runs WHERE ended_at < now() - make_interval(days => %s) RETURNING id",
            (days,),
        ).fetchall()
    for (run_id,) in rows:
        rmtree(reports_dir / run_id, ignore_errors=True)
    return [run_id for (run_id,) in rows]


def _master_started(connection: Connection, record: Record) -> None:
    """Close runs that an earlier master left open, except the one that this master continues.

    The spool is in order, so all records of the earlier master are written by now.
    """
    rows = connection.execute(
        "UPDATE runs SET state = 'lost', ended_at = coalesce("
        "  (SELECT max(at) FROM run_progress WHERE run_id = runs.id), started_at)"
        " WHERE state = 'running' AND id IS DISTINCT FROM %s RETURNING id",
        (record.get("resumes"),),
    ).fetchall()
    for (run_id,) in rows:
        _write_totals(connection, run_id)
        _notify_state(connection, run_id, "lost")


def _run_started(connection: Connection, record: Record) -> None:
    fresh = connection.execute(
        "INSERT INTO runs (id, name, started_by, locustfile, host, users, spawn_rate, run_time_s,"
        " started_at, planned_end_at, image_version, state)"
        " VALUES (%(id)s, %(name)s, %(started_by)s, %(locustfile)s, %(host)s, %(users)s,"
        " %(spawn_rate)s, %(run_time_s)s, %(started_at)s, %(ends_at)s, %(image_version)s,"
        " 'running') ON CONFLICT DO NOTHING",
        record["run"],
    ).rowcount
    if fresh:
        _notify_state(connection, record["run"]["id"], "started")


def _sample(connection: Connection, record: Record) -> None:
    fresh = connection.execute(
        "INSERT INTO run_progress (run_id, seq, at, users, target_users, workers)"
        " VALUES (%(run_id)s, %(seq)s, %(at)s, %(users)s, %(target_users)s, %(workers)s)"
        " ON CONFLICT DO NOTHING",
        record,
    ).rowcount
    if not fresh:
        return
    key = {name: record[name] for name in ("run_id", "seq", "at")}
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO run_samples (run_id, seq, at, method, name, requests, failures, sum_ms,"
            " min_ms, max_ms, response_bytes, histogram, corrected)"
            " VALUES (%(run_id)s, %(seq)s, %(at)s, %(method)s, %(name)s, %(requests)s,"
            " %(failures)s, %(sum_ms)s, %(min_ms)s, %(max_ms)s, %(response_bytes)s, %(histogram)s,"
            " %(corrected)s)",
            [
                {
                    **key,
                    **endpoint,
                    "histogram": Jsonb(endpoint["histogram"]),
                    "corrected": _corrected(endpoint),
                }
                for endpoint in record["endpoints"]
            ],
        )
        cursor.executemany(
            "INSERT INTO run_arrivals (run_id, seq, user_class, arrivals, dropped)"
            " VALUES (%(run_id)s, %(seq)s, %(user_class)s, %(arrivals)s, %(dropped)s)",
            [{**key, **arrived} for arrived in record.get("arrivals", ())],
        )
        cursor.executemany(
            "INSERT INTO run_failures (run_id, method, name, error, occurrences)"
            " VALUES (%(run_id)s, %(method)s, %(name)s, %(error)s, %(occurrences)s)"
            " ON CONFLICT (run_id, method, name, error) DO UPDATE"
            " SET occurrences = run_failures.occurrences + excluded.occurrences",
            [{**key, **failure} for failure in record["failures"]],
        )


def _corrected(endpoint: Mapping[str, Any]) -> Jsonb | None:
    # A record of the previous version has none.
    histogram = endpoint.get("corrected")
    return Jsonb(histogram) if histogram else None


def _run_ended(connection: Connection, record: Record) -> None:
    fresh = connection.execute(
        "UPDATE runs SET state = %(state)s, ended_at = %(at)s"
        " WHERE id = %(run_id)s AND state = 'running'",
        record,
    ).rowcount
    if not fresh:
        return
    _write_totals(connection, record["run_id"])
    _notify_state(connection, record["run_id"], record["state"])


def _notify_state(connection: Connection, run_id: str, state: str) -> None:
    _notify(connection, run_id, lambda *known: run_messages.message_of(state, *known))


def _notify(
    connection: Connection,
    run_id: str,
    make: Callable[[run_messages.RunSummary, run_messages.RunNumbers], Message],
) -> None:
    """Store a message for the channels; a failure is logged, so that results do not wait for it."""
    try:
        with connection.transaction():
            known = run_messages.read(connection, run_id)
            if known is not None:
                outbox.store(connection, make(*known))
    except psycopg.OperationalError:
        raise
    except Exception:  # a retry would fail again; logged below
        logger.exception("the master could not store a notification about run %s", run_id)


def _write_totals(connection: Connection, run_id: str) -> None:
    """Compute a run's totals from its samples, so that the two always agree."""
    connection.execute(
        """
        WITH buckets AS (
            SELECT method, name, key, sum(value::bigint) AS n
            FROM run_samples, jsonb_each_text(histogram)
            WHERE run_id = %(run_id)s
            GROUP BY method, name, key
        ), histograms AS (
            SELECT method, name, jsonb_object_agg(key, n) AS histogram
            FROM buckets GROUP BY method, name
        )
        INSERT INTO run_totals (run_id, method, name, requests, failures, sum_ms, min_ms, max_ms,
            response_bytes, histogram, corrected)
        SELECT %(run_id)s, method, name, sum(requests), sum(failures), sum(sum_ms), min(min_ms),
            max(max_ms), least(sum(response_bytes), 9223372036854775807),
            coalesce(min(histograms.histogram::text), '{}')::jsonb,
            nullif(histogram_merge(corrected) FILTER (WHERE corrected IS NOT NULL), '{}')
        FROM run_samples LEFT JOIN histograms USING (method, name)
        WHERE run_id = %(run_id)s
        GROUP BY method, name
        ON CONFLICT DO NOTHING
        """,
        {"run_id": run_id},
    )


def _event(connection: Connection, record: Record) -> None:
    fresh = connection.execute(
        "INSERT INTO run_events (id, run_id, at, kind, detail)"
        " VALUES (%(id)s, %(run_id)s, %(at)s, %(event)s, %(detail)s) ON CONFLICT DO NOTHING",
        {**record, "detail": Jsonb(record["detail"])},
    ).rowcount
    if fresh and record["event"] == LEADER_CHANGED:
        at, leader = datetime.fromisoformat(record["at"]), record["detail"]["leader"]
        _notify(
            connection,
            record["run_id"],
            lambda run, _: run_messages.leader_changed(record["id"], at, leader, run),
        )


def _audit(connection: Connection, record: Record) -> None:
    connection.execute(
        "INSERT INTO audit_log (id, at, actor, address, action, detail, allowed)"
        " VALUES (%(id)s, %(at)s, %(actor)s, %(address)s, %(action)s, %(detail)s, %(allowed)s)"
        " ON CONFLICT DO NOTHING",
        {**record, "detail": Jsonb(record["detail"])},
    )


WRITERS: dict[str, Callable[[Connection, Record], None]] = {
    "master_started": _master_started,
    "run_started": _run_started,
    "sample": _sample,
    "run_ended": _run_ended,
    "event": _event,
    "audit": _audit,
}
