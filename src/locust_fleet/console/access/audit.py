"""Record who did what, without delaying or failing the request that did it."""

from __future__ import annotations

import logging
import threading
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from locust_fleet.console.database import postgres_timeout
from locust_fleet.errors import StoreUnavailable
from locust_fleet.runtime.postgres import Connect, Connection

# Hours of a busy team. Further entries are in the container's log only.
MOST_WAITING = 10_000
ENTRIES_PER_BATCH = 200
WRITE_INTERVAL_S = 1.0
POSTGRES_TIMEOUT_S = 5.0
LONGEST_TEXT = 500

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """What somebody did or tried to do; its id makes it harmless to write the entry twice."""

    actor: str
    address: str
    action: str
    detail: Mapping[str, Any]
    allowed: bool
    id: uuid.UUID = field(default_factory=uuid.uuid4)
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def to_json(self) -> dict[str, Any]:
        """Return the fields of the API, the time in ISO 8601."""
        return {
            "id": str(self.id),
            "at": self.at.isoformat(),
            "actor": self.actor,
            "address": self.address,
            "action": self.action,
            "detail": dict(self.detail),
            "allowed": self.allowed,
        }


class AuditLog:
    """A queue of entries, which ``keep_writing`` writes to Postgres in the background."""

    def __init__(self, connect: Connect) -> None:
        self.dropped = 0
        self._connect = connect
        self._connection: Connection | None = None
        self._waiting: deque[Entry] = deque()
        self._write_lock = threading.Lock()

    def note(
        self, actor: str, address: str, action: str, detail: Mapping[str, Any], *, allowed: bool
    ) -> None:
        """Queue an entry; returns at once and never raises."""
        entry = Entry(
            actor=_storable(actor),
            address=_storable(address),
            action=_storable(action),
            detail={key: _storable(str(value)) for key, value in detail.items()},
            allowed=allowed,
        )
        logger.info(
            "%s: %s by %s from %s %s",
            "done" if allowed else "refused",
            entry.action,
            entry.actor,
            entry.address,
            dict(entry.detail),
        )
        if len(self._waiting) >= MOST_WAITING:
            self._drop(1, "too many entries wait")
            return
        self._waiting.append(entry)

    def keep_writing(self, closing: threading.Event) -> None:
        """Write the queue every second until ``closing`` is set, and a last time then."""
        while not closing.wait(WRITE_INTERVAL_S):
            self.flush()
        self.flush()

    def flush(self) -> None:
        """Write the queue, which keeps its entries while Postgres is away; never raises."""
        with self._write_lock:
            try:
                while self._waiting:
                    with postgres_timeout(POSTGRES_TIMEOUT_S):
                        self._write_batch()
            except (psycopg.Error, StoreUnavailable) as error:
                logger.warning("%d audit entries wait for Postgres: %s", len(self._waiting), error)
                self.close()

    def _write_batch(self) -> None:
        if self._connection is None:
            self._connection = self._connect()
        batch = list(islice(self._waiting, ENTRIES_PER_BATCH))
        try:
            write(self._connection, batch)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            # Postgres will never accept this batch, and all later entries would wait for it.
            self._drop(len(batch), str(error))
        for _ in batch:
            self._waiting.popleft()

    def _drop(self, entries: int, reason: str) -> None:
        self.dropped += entries
        logger.error("the audit log in Postgres lacks %d entries: %s", self.dropped, reason)

    def close(self) -> None:
        """Close the connection; the next use opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def write(connection: Connection, entries: list[Entry]) -> None:
    """Write entries, except those that are stored already."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO audit_log (id, at, actor, address, action, detail, allowed)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            [
                (
                    entry.id,
                    entry.at,
                    entry.actor,
                    entry.address,
                    entry.action,
                    Jsonb(dict(entry.detail)),
                    entry.allowed,
                )
                for entry in entries
            ],
        )


def read_last(connection: Connection, limit: int = 200) -> list[Entry]:
    """Return at most ``limit`` entries, the newest first."""
    rows = connection.execute(
        "SELECT actor, address, action, detail, allowed, id, at FROM audit_log"
        " ORDER BY at DESC LIMIT %s",
        (limit,),
    ).fetchall()
    return [Entry(*row) for row in rows]


def _storable(text: str) -> str:
    """Return text that Postgres can store and that stays one line in a log."""
    clean = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in clean)[:LONGEST_TEXT]
