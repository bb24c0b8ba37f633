"""Read runs from Postgres, in the form of the pages and the API; times in JSON are ISO 8601."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from psycopg.rows import dict_row

from locust_fleet.protocol.histogram import merge, percentile
from locust_fleet.runtime.postgres import Connection

RUN_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{4}", re.ASCII)
REPORTS = ("report.html", "requests.csv", "failures.csv", "exceptions.csv")
FAILURES_SHOWN = 200
EVENTS_SHOWN = 500
# Active runs whose totals are kept in memory; one at a time is usual.
MOST_RUNNING_SUMS = 8

COLUMNS = (
    "id, name, started_by, locustfile, host, users, spawn_rate, run_time_s, started_at,"
    " planned_end_at, ended_at, image_version, state, verdict"
)
# Postgres adds the samples up, so this process adds only a few rows.
SUM_OF_SAMPLES = """
WITH fresh AS (
    SELECT * FROM run_samples WHERE run_id = %(run_id)s AND seq > %(after)s
), buckets AS (
    SELECT method, name, key, sum(value::bigint)::bigint AS n
    FROM fresh, jsonb_each_text(histogram) GROUP BY method, name, key
), histograms AS (
    SELECT method, name, jsonb_object_agg(key, n) AS histogram FROM buckets GROUP BY method, name
)
SELECT method, name, sum(requests)::bigint AS requests, sum(failures)::bigint AS failures,
    sum(sum_ms) AS sum_ms, min(min_ms) AS min_ms, max(max_ms) AS max_ms,
    coalesce(min(histograms.histogram::text), '{}')::jsonb AS histogram, max(seq) AS seq,
    nullif(histogram_merge(corrected) FILTER (WHERE corrected IS NOT NULL), '{}') AS corrected
FROM fresh LEFT JOIN histograms USING (method, name)
GROUP BY method, name
"""

Json = dict[str, Any]


@dataclass(frozen=True)
class Totals:
    """The requests of an endpoint in a run, or in a part of a run; times in milliseconds."""

    method: str
    name: str
    requests: int
    failures: int
    sum_ms: float
    min_ms: float | None
    max_ms: float | None
    histogram: Mapping[str, int] | Mapping[float, int]
    # The same requests measured from their intended start; None in a closed model.
    corrected: Mapping[str, int] | Mapping[float, int] | None = None

    def to_json(self, duration_s: float) -> Json:
        """Return the fields of the API, for a run that took ``duration_s``."""
        return {
            "method": self.method,
            "name": self.name,
            "requests": self.requests,
            "failures": self.failures,
            "average_ms": self.sum_ms / self.requests if self.requests else None,
            "min_ms": self.min_ms,
            "max_ms": self.max_ms,
            "p50_ms": percentile(self.histogram, 0.5),
            "p95_ms": percentile(self.histogram, 0.95),
            "p99_ms": percentile(self.histogram, 0.99),
            "corrected_p50_ms": percentile(self.corrected or {}, 0.5),
            "corrected_p95_ms": percentile(self.corrected or {}, 0.95),
            "corrected_p99_ms": percentile(self.corrected or {}, 0.99),
            "requests_per_second": self.requests / duration_s if duration_s > 0 else None,
        }


def add_up(parts: Iterable[Totals], method: str, name: str) -> Totals:
    """Return the sum of several totals under one name."""
    parts = list(parts)
    return Totals(
        method=method,
        name=name,
        requests=sum(part.requests for part in parts),
        failures=sum(part.failures for part in parts),
        sum_ms=sum(part.sum_ms for part in parts),
        min_ms=min((part.min_ms for part in parts if part.min_ms is not None), default=None),
        max_ms=max((part.max_ms for part in parts if part.max_ms is not None), default=None),
        histogram=merge(part.histogram for part in parts),
        corrected=merge(part.corrected for part in parts if part.corrected),
    )


def shape_totals(totals: Iterable[Totals], duration_s: float) -> list[Json]:
    """Return a row per endpoint, by name, then "Aggregated"; an empty list without requests."""
    rows = sorted(totals, key=lambda row: (row.name, row.method))
    if not rows:
        return []
    return [row.to_json(duration_s) for row in (*rows, add_up(rows, "", "Aggregated"))]


def shape_run(row: Mapping[str, Any]) -> Json:
    """Return a row of the table ``runs`` with its times as text."""
    return {
        key: value.isoformat() if isinstance(value, datetime) else value
        for key, value in row.items()
    }


def shape_status(status: Mapping[str, Any]) -> Json:
    """Return the run of the master's status in the form of a stored run; None for the unknown."""
    run, totals = status["run"], status["totals"]
    aggregated = {
        "method": "",
        "name": "Aggregated",
        "requests": totals["requests"],
        "failures": totals["failures"],
        "average_ms": None,
        "min_ms": None,
        "max_ms": None,
        "p50_ms": totals["p50_ms"],
        "p95_ms": totals["p95_ms"],
        "p99_ms": None,
        "corrected_p50_ms": None,
        "corrected_p95_ms": None,
        "corrected_p99_ms": None,
        "requests_per_second": totals["requests_per_second"],
    }
    kept = ("id", "name", "started_by", "locustfile", "host", "users", "spawn_rate", "run_time_s")
    return {
        **{key: run[key] for key in kept},
        "started_at": run["started_at"],
        "planned_end_at": run["ends_at"],
        "ended_at": None,
        "image_version": None,
        "state": run["state"],
        "verdict": None,
        "totals": [aggregated] if totals["requests"] else [],
        "failures": [],
        "arrivals": [],
        "events": [],
    }


def duration_s(started_at: datetime, ended_at: datetime | None, now: datetime) -> float:
    """Return how long a run took, or has taken so far, in seconds."""
    return ((ended_at or now) - started_at).total_seconds()


def read_page(connection: Connection, limit: int, before: str | None) -> list[Json]:
    """Return at most ``limit`` runs older than the run ``before``, the newest first.

    Each has its number of requests and failures, None without results.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(
            f"SELECT {COLUMNS}, counted.requests, counted.failures FROM runs"
            " LEFT JOIN LATERAL (SELECT sum(requests)::bigint AS requests,"
            "   sum(failures)::bigint AS failures FROM run_totals WHERE run_id = runs.id"
            " ) AS counted ON true"
            " WHERE %(before)s::text IS NULL OR id < %(before)s ORDER BY id DESC LIMIT %(limit)s",
            {"before": before, "limit": limit},
        )
        return [shape_run(row) for row in cursor]


class RunReader:
    """Reads one run. The totals of an active run are kept, and only new samples are added."""

    def __init__(self, reports_dir: Path) -> None:
        self._reports_dir = reports_dir
        self._sums: dict[str, _RunningSum] = {}

    def read(self, connection: Connection, run_id: str) -> Json | None:
        """Return a run with totals, failures, arrivals and events; None if Postgres lacks it."""
        with connection.cursor(row_factory=dict_row) as cursor:
            run = cursor.execute(f"SELECT {COLUMNS} FROM runs WHERE id = %s", (run_id,)).fetchone()
            if run is None:
                return None
            failures = cursor.execute(
                "SELECT method, name, error, occurrences FROM run_failures WHERE run_id = %s"
                " ORDER BY occurrences DESC, name, error LIMIT %s",
                (run_id, FAILURES_SHOWN),
            ).fetchall()
            events = cursor.execute(
                "SELECT at, kind, detail FROM run_events WHERE run_id = %s ORDER BY at LIMIT %s",
                (run_id, EVENTS_SHOWN),
            ).fetchall()
            arrivals = cursor.execute(
                "SELECT user_class, sum(arrivals)::bigint AS arrivals,"
                " sum(dropped)::bigint AS dropped FROM run_arrivals WHERE run_id = %s"
                " GROUP BY user_class ORDER BY user_class",
                (run_id,),
            ).fetchall()
        took_s = duration_s(run["started_at"], run["ended_at"], datetime.now(UTC))
        return {
            **shape_run(run),
            "totals": shape_totals(self._totals(connection, run_id), took_s),
            "failures": failures,
            "arrivals": arrivals,
            "events": [shape_run(event) for event in events],
        }

    def reports(self, run_id: str) -> list[str]:
        """Return the names of the reports that a run has."""
        return [name for name in REPORTS if self.report(run_id, name)]

    def report(self, run_id: str, name: str) -> Path | None:
        """Return the path of a report, None when the run has no such report."""
        if not RUN_ID.fullmatch(run_id) or name not in REPORTS:
            return None
        path = self._reports_dir / run_id / name
        return path if path.is_file() and not path.is_symlink() else None

    def _totals(self, connection: Connection, run_id: str) -> Iterable[Totals]:
        with connection.cursor(row_factory=dict_row) as cursor:
            rows = cursor.execute(
                "SELECT method, name, requests, failures, sum_ms, min_ms, max_ms, histogram,"
                " corrected"
                " FROM run_totals WHERE run_id = %s",
                (run_id,),
            ).fetchall()
        if rows:
            self._sums.pop(run_id, None)
            return [Totals(**row) for row in rows]
        while len(self._sums) >= MOST_RUNNING_SUMS and run_id not in self._sums:
            del self._sums[next(iter(self._sums))]
        return self._sums.setdefault(run_id, _RunningSum(run_id)).catch_up(connection)


@dataclass
class _RunningSum:
    run_id: str
    seq: int = 0
    totals: dict[tuple[str, str], Totals] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def catch_up(self, connection: Connection) -> list[Totals]:
        """Return the totals after adding the samples that are new."""
        with self.lock, connection.cursor(row_factory=dict_row) as cursor:
            rows = cursor.execute(
                SUM_OF_SAMPLES, {"run_id": self.run_id, "after": self.seq}
            ).fetchall()
            # A sample has one seq for all endpoints, so the highest seq holds for all rows.
            last = max((row.pop("seq") for row in rows), default=self.seq)
            for row in rows:
                fresh = Totals(**row)
                key = (fresh.method, fresh.name)
                known = self.totals.get(key)
                self.totals[key] = add_up([known, fresh], *key) if known else fresh
            self.seq = last
            return list(self.totals.values())
