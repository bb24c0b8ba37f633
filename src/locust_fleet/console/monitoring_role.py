"""The Postgres role of the monitoring: it sees results and statistics, and changes nothing."""

from __future__ import annotations

import logging

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

NAME = "fleet_reader"
# What dashboards show. Not here: accounts, tokens and who did what.
TABLES = (
    *("runs", "run_samples", "run_progress", "run_totals", "run_failures", "run_events"),
    "run_arrivals",
)
# A dashboard must not take the connections or the time of who writes results.
CONNECTION_LIMIT = 20
LONGEST_QUERY = "30s"

logger = logging.getLogger(__name__)


# A hosted Postgres may reserve roles to its administrator, or know none.
REFUSALS = (psycopg.ProgrammingError, psycopg.NotSupportedError)


def ensure(connection: psycopg.Connection[TupleRow], password: str) -> bool:
    """Make the role, or bring it up to date; False where this server does not let us.

    Results are kept all the same, so that is a warning. What an administrator has made is taken
    as it is, and given the tables, which are ours.
    """
    try:
        try:
            with connection.transaction():
                _make(connection, password)
        except REFUSALS:
            if not _is_there(connection):
                raise
        with connection.transaction():
            _give_tables(connection)
    except REFUSALS as error:
        logger.warning(
            "the role %s for monitoring could not be made: %s; its administrator can make it"
            " with the password in secrets/reader_password",
            NAME,
            error.diag.message_primary,
        )
        return False
    return True


def _is_there(connection: psycopg.Connection[TupleRow]) -> bool:
    found = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (NAME,))
    return found.fetchone() is not None


def _make(connection: psycopg.Connection[TupleRow], password: str) -> None:
    role = sql.Identifier(NAME)
    if not _is_there(connection):
        connection.execute(sql.SQL("CREATE ROLE {}").format(role))
    # As the server keeps it, so that its log never holds the password.
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


def _give_tables(connection: psycopg.Connection[TupleRow]) -> None:
    role = sql.Identifier(NAME)
    connection.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(role))
    tables = sql.SQL(", ").join(map(sql.Identifier, TABLES))
    connection.execute(sql.SQL("GRANT SELECT ON {} TO {}").format(tables, role))
