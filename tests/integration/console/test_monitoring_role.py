"""The role of the monitoring sees results and statistics, and nothing else of the database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest

from locust_fleet.console import monitoring_role
from locust_fleet.runtime import postgres
from locust_fleet.settings.stores import PostgresSettings

pytestmark = pytest.mark.docker


@pytest.fixture
def looking(
    connection: psycopg.Connection, postgres_settings: PostgresSettings
) -> Iterator[psycopg.Connection]:
    """Signed in as the reader."""
    monitoring_role.ensure(connection, "only to look")
    as_reader = replace(postgres_settings, user=monitoring_role.NAME, password="only to look")
    with postgres.connect(as_reader) as mine:
        yield mine


@pytest.mark.parametrize("table", monitoring_role.TABLES)
def test_it_reads_results(looking: psycopg.Connection, table: str) -> None:
    assert looking.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_it_reads_the_statistics_of_the_server(looking: psycopg.Connection) -> None:
    seen = looking.execute("SELECT count(*) FROM pg_stat_activity WHERE query <> ''").fetchone()

    assert seen
    assert seen[0] >= 2


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT password_hash FROM accounts",
        "SELECT token_hash FROM api_tokens",
        "SELECT actor FROM audit_log",
        "DELETE FROM runs",
        "UPDATE run_totals SET requests = 0",
        "CREATE TABLE mine (a int)",
    ],
)
def test_it_sees_no_secret_and_changes_nothing(looking: psycopg.Connection, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        looking.execute(statement)


def test_a_new_password_counts(
    connection: psycopg.Connection, postgres_settings: PostgresSettings
) -> None:
    monitoring_role.ensure(connection, "only to look")
    monitoring_role.ensure(connection, "another")

    with postgres.connect(
        replace(postgres_settings, user=monitoring_role.NAME, password="another")
    ) as mine:
        assert mine.execute("SELECT current_user").fetchone() == (monitoring_role.NAME,)


def test_a_server_that_forbids_it_is_a_warning(
    connection: psycopg.Connection,
    postgres_settings: PostgresSettings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    connection.execute("DROP ROLE IF EXISTS plain")
    connection.execute("CREATE ROLE plain LOGIN PASSWORD 'x'")
    with postgres.connect(replace(postgres_settings, user="plain", password="x")) as plain:
        made = monitoring_role.ensure(plain, "only to look")

    assert made is False
    assert "secrets/reader_password" in caplog.text


def test_a_role_that_an_administrator_made_is_given_the_tables(
    connection: psycopg.Connection,
    postgres_settings: PostgresSettings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monitoring_role.ensure(connection, "only to look")
    connection.execute("DROP ROLE IF EXISTS owner")
    connection.execute("CREATE ROLE owner LOGIN PASSWORD 'x'")
    for table in monitoring_role.TABLES:
        connection.execute(f"REVOKE ALL ON {table} FROM {monitoring_role.NAME}")
        connection.execute(f"ALTER TABLE {table} OWNER TO owner")
    with postgres.connect(replace(postgres_settings, user="owner", password="x")) as owner:
        made = monitoring_role.ensure(owner, "only to look")

    assert made is True
    assert caplog.text == ""
    with postgres.connect(
        replace(postgres_settings, user=monitoring_role.NAME, password="only to look")
    ) as mine:
        assert mine.execute("SELECT count(*) FROM run_totals").fetchone() == (0,)
