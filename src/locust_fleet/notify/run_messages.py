"""The messages about a run, and the numbers in them. Pure, except ``read``.

A message is stored in the transaction of the rows that it is about. Its id is made from run and
state, so that rows that are written twice lead to one message.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import class_row

from locust_fleet.notify.message import Message, id_of
from locust_fleet.protocol.histogram import merge, percentile
from locust_fleet.runtime.postgres import Connection

NOTHING = "\u2013"
NAMES = {
    "started": "RunStarted",
    "finished": "RunFinished",
    "stopped": "RunStopped",
    "lost": "RunLost",
}


@dataclass(frozen=True)
class RunSummary:
    """A run in Postgres; ``stopped_by`` is empty unless somebody stopped it."""

    id: str
    name: str
    started_by: str
    host: str
    users: int
    started_at: datetime
    ended_at: datetime | None
    stopped_by: str


@dataclass(frozen=True)
class RunNumbers:
    """Totals of a run; response times in milliseconds over the whole run, None without any."""

    requests: int
    failures: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


def read(connection: Connection, run_id: str) -> tuple[RunSummary, RunNumbers] | None:
    """Return a run and its numbers; None when there is no such run."""
    with connection.cursor(row_factory=class_row(RunSummary)) as cursor:
        run = cursor.execute(
            "SELECT id, name, started_by, host, users, started_at, ended_at, coalesce("
            "  (SELECT detail->>'by' FROM run_events WHERE run_id = runs.id AND kind = 'stopped'"
            "   ORDER BY at DESC LIMIT 1), '') AS stopped_by FROM runs WHERE id = %s",
            (run_id,),
        ).fetchone()
    if run is None:
        return None
    rows = connection.execute(
        "SELECT requests, failures, histogram FROM run_totals WHERE run_id = %s", (run_id,)
    ).fetchall()
    histogram = merge(row[2] for row in rows)
    return run, RunNumbers(
        requests=sum(row[0] for row in rows),
        failures=sum(row[1] for row in rows),
        p50_ms=percentile(histogram, 0.5),
        p95_ms=percentile(histogram, 0.95),
        p99_ms=percentile(histogram, 0.99),
    )


def message_of(state: str, run: RunSummary, numbers: RunNumbers) -> Message:
    """Return the message for a run that started, finished, was stopped early or was lost."""
    label = f"{run.id} ({run.name})" if run.name else run.id
    summary = {
        "started": f"Run {label} started: {run.users} users against {run.host}",
        "finished": f"Run {label} finished: {_short(numbers)}",
        "stopped": f"Run {label} was stopped early by {run.stopped_by or 'somebody'}:"
        f" {_short(numbers)}",
        "lost": f"Run {label} was lost: its master ended without recording the end",
    }[state]
    return Message(
        alert_name=NAMES[state],
        severity="warning" if state in ("stopped", "lost") else "info",
        status=state,
        summary=summary,
        at=run.started_at if state == "started" else run.ended_at or run.started_at,
        thread=f"run {run.id}",
        value="" if state == "started" else _short(numbers),
        labels=_labels(state, run, numbers),
        run_id=run.id,
        id=id_of(f"run {run.id} {state}"),
    )


def leader_changed(event_id: str, at: datetime, leader: str, run: RunSummary) -> Message:
    """Return the message for a run whose leader changed or started again."""
    label = f"{run.id} ({run.name})" if run.name else run.id
    return Message(
        alert_name="LeaderChanged",
        severity="warning",
        status="leader changed",
        summary=f"Run {label} goes on under another leader: master {leader}",
        at=at,
        thread=f"run {run.id}",
        labels={"leader": leader, "target": run.host},
        run_id=run.id,
        id=id_of(f"event {event_id}"),
    )


def _labels(state: str, run: RunSummary, numbers: RunNumbers) -> Mapping[str, str]:
    labels: dict[str, Any] = {"started by": run.started_by, "target": run.host, "users": run.users}
    if state != "started":
        labels |= {
            "requests": f"{numbers.requests:,}",
            "failures": f"{numbers.failures:,}",
            "p50 / p95 / p99": " / ".join(
                _ms(value) for value in (numbers.p50_ms, numbers.p95_ms, numbers.p99_ms)
            ),
        }
        if run.ended_at and numbers.requests:
            took_s = max((run.ended_at - run.started_at).total_seconds(), 1)
            labels["requests/s"] = f"{numbers.requests / took_s:.1f}"
    return {name: str(value) for name, value in labels.items()}


def _short(numbers: RunNumbers) -> str:
    if not numbers.requests:
        return "no requests"
    share = 100 * numbers.failures / numbers.requests
    failed = "none failed" if not numbers.failures else f"{share:.2g} % failed"
    return f"{numbers.requests:,} requests, {failed}, p95 {_ms(numbers.p95_ms)}"


def _ms(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.3g} ms" if value < 100 else f"{value:,.0f} ms"
