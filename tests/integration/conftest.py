"""Real Redis and Postgres, in containers of the images that the stack runs."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from locust_fleet.runtime import postgres
from locust_fleet.settings.stores import PostgresSettings, RedisSettings
from tests.support.fleet import ADDRESS, Fleet, NewFleet
from tests.support.postgres import new_database, running_postgres
from tests.support.redis import redis_client, running_redis
from tests.support.shop import Shop

# Its tests share a fleet.
WHOLE = "master/admission/test_http_input.py"


class BySharedParts(LoadScopeScheduling):  # type: ignore[misc]
    """Gives tests that share a fleet, or a scenario of users, to one process: it is made once."""

    def _split_scope(self, nodeid: str) -> str:
        file, _, name = nodeid.partition("::")
        if file.endswith(WHOLE):
            return file
        scenario = name.partition("[")[2]
        return scenario if "/fleet_http/" in file and scenario else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> BySharedParts:
    """Say which process runs which tests."""
    return BySharedParts(config, log)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresSettings]:
    with running_postgres() as settings:
        yield settings


@pytest.fixture
def postgres_settings(postgres_server: PostgresSettings) -> PostgresSettings:
    """An empty, migrated database of its own for each test."""
    return new_database(postgres_server)


@pytest.fixture
def connection(postgres_settings: PostgresSettings) -> Iterator[psycopg.Connection]:
    with postgres.connect(postgres_settings) as connection:
        yield connection


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisSettings]:
    """Redis for all tests; the password of its user for workers is "work"."""
    with running_redis(tmp_path_factory.mktemp("secrets")) as settings:
        yield settings


@pytest.fixture
def redis_settings(redis_server: RedisSettings) -> RedisSettings:
    """An empty Redis for each test."""
    redis_client(redis_server).flushall()
    return redis_server


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The target of all fleets, which come one after the other."""
    shop = Shop(ADDRESS, tmp_path_factory.mktemp("shop") / "target.log")
    yield shop
    shop.close()


@pytest.fixture
def new_fleet(
    tmp_path: Path, postgres_settings: PostgresSettings, shop: Shop
) -> Iterator[NewFleet]:
    """Makes a fleet, which ends with the test: of a locustfile, and an environment of its own."""
    with ExitStack() as ends:

        def make(locustfile: str, env: dict[str, str] | None = None) -> Fleet:
            fleet = Fleet(tmp_path, postgres_settings, shop, locustfile, env)
            ends.callback(fleet.end_all)
            return fleet

        yield make
