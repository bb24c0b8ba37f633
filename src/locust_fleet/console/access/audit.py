"""Keep who did what, without ever delaying or failing the request that did it."""

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

from locust_fleet.console.database import Connect, Connection, patience
from locust_fleet.errors import StoreUnavailable

# Hours of a busy team. Beyond it, entries are in the container's log only.
WAITING_LIMIT = 10_000
BATCH = 200
DRAIN_S = 1.0
PATIENCE_S = 5.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """Somebody did something, or tried to; the id makes writing it twice harmless."""

    actor: str
    address: str
    action: str
    detail: Mapping[str, Any]
    allowed: bool
    id: uuid.UUID = field(default_factory=uuid.uuid4)
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def to_json(self) -> dict[str, Any]:
        """Return the entry for JSON, its time in ISO 8601."""
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
    """A queue of entries, which ``keep_writing`` carries to Postgres in the background."""

    def __init__(self, connect: Connect) -> None:
        self.dropped = 0
        self._connect = connect
        self._connection: Connection | None = None
        self._waiting: deque[Entry] = deque()
        self._turn = threading.Lock()

    def note(
        self, actor: str, address: str, action: str, detail: Mapping[str, Any], *, allowed: bool
    ) -> None:
        """Take an entry; returns at once and never raises."""
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
        if len(self._waiting) >= WAITING_LIMIT:
            self._drop(1, "too many wait")
            return
        self._waiting.append(entry)

    def keep_writing(self, closing: threading.Event) -> None:
        """Write what waits, every second until ``closing`` is set, and once more then."""
        while not closing.wait(DRAIN_S):
            self.flush()
        self.flush()

    def flush(self) -> None:
        """Write what waits; entries stay when Postgres is away. Never raises."""
        with self._turn:
            try:
                while self._waiting:
                    with patience(PATIENCE_S):
                        self._write_batch()
            except (psycopg.Error, StoreUnavailable) as error:
                logger.warning("%d audit entries wait: %s", len(self._waiting), error)
                self.close()

    def _write_batch(self) -> None:
        if self._connection is None:
            self._connection = self._connect()
        batch = list(islice(self._waiting, BATCH))
        try:
            write(self._connection, batch)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            # It would never be taken, and everything after it would wait for ever.
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
    """Write entries; one that is there already is left as it is."""
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
    """Return the last entries, the newest first."""
    rows = connection.execute(
        "SELECT actor, address, action, detail, allowed, id, at FROM audit_log"
        " ORDER BY at DESC LIMIT %s",
        (limit,),
    ).fetchall()
    return [Entry(*row) for row in rows]


def _storable(text: str) -> str:
    """Return text that Postgres takes and that stays one line in a log."""
    clean = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in clean)[:500]
