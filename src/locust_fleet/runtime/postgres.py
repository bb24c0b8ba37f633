"""Connect to Postgres, and bring its schema up to date.

psycopg waits with the ``select`` that gevent has patched, so a query never blocks other greenlets.
The host name is resolved here, because libpq would resolve it in C and block them.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from pathlib import Path

import psycopg
from psycopg.rows import TupleRow

from locust_fleet.errors import MigrationError, StoreUnavailable
from locust_fleet.settings.stores import PostgresSettings

Connection = psycopg.Connection[TupleRow]
Connect = Callable[[], Connection]

CONNECT_TIMEOUT_S = 3
# Without these, a connection through a network that was cut hangs for two hours.
KEEPALIVE_IDLE_S = 5
KEEPALIVE_INTERVAL_S = 2
KEEPALIVE_COUNT = 3
UNANSWERED_MS = 10_000
# Any number, the same in every process: it lets one process migrate at a time.
MIGRATION_LOCK = 7_305_614

logger = logging.getLogger(__name__)


def connect(settings: PostgresSettings) -> Connection:
    """Return a connection in autocommit mode; raise StoreUnavailable when there is none."""
    try:
        address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][4][0]
        return psycopg.connect(
            host=settings.host,
            hostaddr=str(address),
            port=settings.port,
            dbname=settings.database,
            user=settings.user,
            password=settings.password,
            connect_timeout=CONNECT_TIMEOUT_S,
            autocommit=True,
            application_name="locust-fleet",
            keepalives_idle=KEEPALIVE_IDLE_S,
            keepalives_interval=KEEPALIVE_INTERVAL_S,
            keepalives_count=KEEPALIVE_COUNT,
            tcp_user_timeout=UNANSWERED_MS,
        )
    except (OSError, psycopg.OperationalError) as error:
        raise StoreUnavailable(
            f"Postgres at {settings.host}:{settings.port} does not answer: {error}"
        ) from error


def migrate(connection: Connection, folder: Path) -> list[str]:
    """Apply the numbered SQL files of a folder that this database has not seen, all or none.

    Returns the names applied, in order. Raises MigrationError when a file fails; the database
    is then as it was before.
    """
    files = sorted(folder.glob("[0-9][0-9][0-9][0-9]_*.sql"))
    if not files:
        raise MigrationError(f"{folder} holds no migration; mount postgres/migrations there")
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (MIGRATION_LOCK,))
        connection.execute(
            "CREATE TABLE IF NOT EXISTS schema_migrations"
            " (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        applied = {name for (name,) in connection.execute("SELECT name FROM schema_migrations")}
        pending = [file for file in files if file.name not in applied]
        for file in pending:
            _apply(connection, file)
    return [file.name for file in pending]


def _apply(connection: Connection, file: Path) -> None:
    try:
        connection.execute(file.read_bytes())
        connection.execute("INSERT INTO schema_migrations (name) VALUES (%s)", (file.name,))
    except psycopg.Error as error:
        raise MigrationError(f"{file.name} failed and nothing was changed: {error}") from error
    logger.info("applied %s", file.name)
