"""The Postgres role of the monitoring: it reads results and statistics, and changes nothing."""

from __future__ import annotations

import logging

import psycopg
from psycopg import sql

from locust_fleet.runtime.postgres import Connection

NAME = "fleet_reader"
# What dashboards show; not accounts, tokens and the audit log.
TABLES = (
    *("runs", "run_samples", "run_progress", "run_totals", "run_failures", "run_events"),
    "run_arrivals",
)
# A dashboard must not take connections or time away from writing results.
CONNECTION_LIMIT = 20
LONGEST_QUERY = "30s"
# The errors of a hosted Postgres that lets only its administrator create roles.
REFUSALS = (psycopg.ProgrammingError, psycopg.NotSupportedError)

logger = logging.getLogger(__name__)


def ensure(connection: Connection, password: str) -> bool:
    """Create the role or bring it up to date; returns False where this server refuses.

    A refusal is logged as a warning, because results are stored all the same. A role that an
    administrator created is used as it is, and gets the right to read the tables.
    """
    try:
        try:
            with connection.transaction():
                _create(connection, password)
        except REFUSALS:
            if not _is_there(connection):
                raise
        with connection.transaction():
            _grant_tables(connection)
    except REFUSALS as error:
        logger.warning(
            "the role %s for monitoring cannot be created: %s; an administrator of Postgres can"
            " create it with the password in secrets/reader_password",
            NAME,
            error.diag.message_primary,
        )
        return False
    return True


def _is_there(connection: Connection) -> bool:
    found = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (NAME,))
    return found.fetchone() is not None


def _create(connection: Connection, password: str) -> None:
    role = sql.Identifier(NAME)
    if not _is_there(connection):
        connection.execute(sql.SQL("CREATE ROLE {}").format(role))
    # Encrypted here, so that the log of the server never contains the password.
    scrambled = connection.pgconn.encrypt_password(password.encode(), NAME.encode())
    connection.execute(
        sql.SQL("ALTER ROLE {} LOGIN CONNECTION LIMIT {} PASSWORD {}").format(
            role, sql.Literal(CONNECTION_LIMIT), sql.Literal(scrambled.decode())
        )
    )
    connection.execute(
        sql.SQL("ALTER ROLE {} SET statement_timeout = {}").format(role, sql.Literal(LONGEST_QUERY))
    )
    connection.execute(sql.SQL("GRANT pg_monitor TO {}").format(role))


def _grant_tables(connection: Connection) -> None:
    role = sql.Identifier(NAME)
    connection.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(role))
    tables = sql.SQL(", ").join(map(sql.Identifier, TABLES))
    connection.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(tables, role))
