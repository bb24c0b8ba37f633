"""Postgres in containers of the image that the stack runs."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from locust_fleet.errors import StoreUnavailable
from locust_fleet.runtime import postgres
from locust_fleet.settings.stores import PostgresSettings
from tests.support.checkout import ROOT
from tests.support.engine import ADDRESS, container
from tests.support.waiting import wait_until

POSTGRES_IMAGE = os.environ.get("POSTGRES_IMAGE", "locust-fleet/postgres:packages")
MIGRATIONS = ROOT / "postgres" / "migrations"


@contextmanager
def running_postgres(
    database: str = "postgres",
    user: str = "postgres",
    password: str = "test",
    at: tuple[str, str] = (ADDRESS, ""),
) -> Iterator[PostgresSettings]:
    """Run a Postgres that keeps nothing; yields how to sign in once it answers."""
    options = (
        *("--env", f"POSTGRES_PASSWORD={password}", "--env", f"POSTGRES_USER={user}"),
        *("--env", f"POSTGRES_DB={database}", "--tmpfs", "/var/lib/postgresql/data"),
    )
    command = ("postgres", "-c", "fsync=off")
    with container(POSTGRES_IMAGE, 5432, *options, command=command, at=":".join(at)) as port:
        settings = PostgresSettings(at[0], port, database, user, password)
        wait_until(lambda: answers(settings), "Postgres answering")
        yield settings


def answers(settings: PostgresSettings) -> bool:
    try:
        postgres.connect(settings).close()
    except StoreUnavailable:
        return False
    return True


def new_database(server: PostgresSettings) -> PostgresSettings:
    """Drop the database of the test before, and return an empty, migrated one."""
    with postgres.connect(server) as connection:
        connection.execute("DROP DATABASE IF EXISTS fleet WITH (FORCE)")
        connection.execute("CREATE DATABASE fleet")
    settings = PostgresSettings(server.host, server.port, "fleet", server.user, server.password)
    with postgres.connect(settings) as connection:
        postgres.migrate(connection, MIGRATIONS)
    return settings


def postgres_environment(settings: PostgresSettings) -> dict[str, str]:
    """Return what tells a process of a Postgres."""
    return {
        "POSTGRES_HOST": settings.host,
        "POSTGRES_PORT": str(settings.port),
        "POSTGRES_DB": settings.database,
        "POSTGRES_USER": settings.user,
        "POSTGRES_PASSWORD": settings.password,
    }
