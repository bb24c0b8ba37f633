"""Real Redis and Postgres, in containers of the images that the stack runs."""

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cache
from itertools import cycle
from pathlib import Path

import psycopg
import pytest
import redis
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from locust_fleet.errors import StoreUnavailable
from locust_fleet.runtime import postgres
from locust_fleet.settings.stores import PostgresSettings, RedisSettings

ROOT = Path(__file__).parents[2]
REDIS_IMAGE = os.environ.get("REDIS_IMAGE", "locust-fleet/redis:packages")
# As the compose file starts it.
REDIS_COMMAND = ("sh", "/etc/redis/start.sh")
MIGRATIONS = ROOT / "postgres" / "migrations"
ADDRESS = "127.0.0.31"
START_TIMEOUT_S = 60.0
# Seconds that a machine with other work may add to what is promised; 0 holds it to the promise.
BUSY_S = float(os.environ.get("BUSY_S", "5"))
# A shell cannot trap a signal that was ignored when it started, as in what a script runs in the
# background; the tests may be such a thing.
INTERRUPTIBLE = ("env", "--default-signal=INT,TERM,HUP")


class ByScenario(LoadScopeScheduling):  # type: ignore[misc]
    """Gives the tests of a scenario of users to one process, which plays it once for all."""

    def _split_scope(self, nodeid: str) -> str:
        place, _, scenario = nodeid.partition("[")
        return scenario if "/fleet_http/" in place and scenario else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByScenario:
    """Say which process runs which tests."""
    return ByScenario(config, log)


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr}"
    return done.stdout.strip()


@contextmanager
def container(image: str, port: int, *options: str, command: tuple[str, ...] = ()) -> Iterator[int]:
    """Run a container; yields the port of the host that Docker picked for its port."""
    name = docker("run", "--detach", "--publish", f"{ADDRESS}::{port}", *options, image, *command)
    try:
        yield int(docker("port", name, str(port)).splitlines()[0].rpartition(":")[2])
    finally:
        docker("rm", "--force", "--volumes", name)


def free_port(address: str) -> int:
    """Return a port that nobody listens on, and that no other process of these tests is given."""
    for port in ports_of_this_process():
        with socket.socket() as probe, suppress(OSError):
            probe.bind((address, port))
            return port
    raise AssertionError("unreachable: the ports come again and again")


@cache
def ports_of_this_process() -> Iterator[int]:
    """Yield ports below those that the kernel gives away, each as late again as can be.

    What the kernel calls free may be taken, by another test, before who asked listens on it.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    ports = range(12_000 + 2_000 * (worker % 10), 14_000 + 2_000 * (worker % 10))
    # Another run of tests begins elsewhere.
    begin = os.getpid() * 37 % len(ports)
    return cycle([*ports[begin:], *ports[:begin]])


def wait_until(ready: Callable[[], bool], what: str, timeout_s: float = START_TIMEOUT_S) -> None:
    """Return once the condition holds; fail with its name when it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not ready():
        assert time.monotonic() < deadline, f"{what} did not happen within {timeout_s:g} s"
        time.sleep(0.05)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresSettings]:
    image = os.environ.get("POSTGRES_IMAGE", "locust-fleet/postgres:packages")
    options = ("--env", "POSTGRES_PASSWORD=test", "--tmpfs", "/var/lib/postgresql/data")
    with container(image, 5432, *options, command=("postgres", "-c", "fsync=off")) as port:
        settings = PostgresSettings(ADDRESS, port, "postgres", "postgres", "test")

        def ready() -> bool:
            try:
                postgres.connect(settings).close()
            except StoreUnavailable:
                return False
            return True

        wait_until(ready, "Postgres answering")
        yield settings


@pytest.fixture
def postgres_settings(postgres_server: PostgresSettings) -> PostgresSettings:
    """An empty, migrated database of its own for each test."""
    with postgres.connect(postgres_server) as connection:
        connection.execute("DROP DATABASE IF EXISTS fleet WITH (FORCE)")
        connection.execute("CREATE DATABASE fleet")
    settings = PostgresSettings(
        postgres_server.host, postgres_server.port, "fleet", "postgres", "test"
    )
    with postgres.connect(settings) as connection:
        postgres.migrate(connection, MIGRATIONS)
    return settings


@pytest.fixture
def connection(postgres_settings: PostgresSettings) -> Iterator[psycopg.Connection]:
    with postgres.connect(postgres_settings) as connection:
        yield connection


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisSettings]:
    """Redis for all tests; the password of its user for workers is "work"."""
    options = redis_options(tmp_path_factory.mktemp("secrets"))
    with container(REDIS_IMAGE, 6379, *options, command=REDIS_COMMAND) as port:
        settings = RedisSettings(ADDRESS, port, "test")
        wait_for_redis(settings)
        yield settings


def redis_options(secrets: Path) -> tuple[str, ...]:
    """Write the passwords into a folder; return the options of a container as the stack's Redis."""
    secrets.chmod(0o755)
    (secrets / "redis_password").write_text("test")
    (secrets / "redis_worker_password").write_text("work")
    return (
        *("--user", "999:999", "--env", "REDIS_PORT=6379", "--env", "REDIS_WORKER_USER="),
        *("--volume", f"{ROOT}/redis:/etc/redis:ro", "--volume", f"{secrets}:/run/secrets:ro"),
    )


def wait_for_redis(settings: RedisSettings) -> None:
    client = redis.Redis(host=settings.host, port=settings.port, password=settings.password)

    def answers() -> bool:
        with suppress(redis.RedisError):
            return bool(client.ping())
        return False

    wait_until(answers, "Redis answering")


@pytest.fixture
def redis_settings(redis_server: RedisSettings) -> RedisSettings:
    """An empty Redis for each test."""
    client = redis.Redis(host=redis_server.host, port=redis_server.port, password="test")
    client.flushall()
    return redis_server


def as_worker(settings: RedisSettings) -> RedisSettings:
    """Return how a worker signs in there."""
    return replace(settings, user="worker", password="work")


def redis_environment(settings: RedisSettings) -> dict[str, str]:
    """Return what tells a master and its workers of a Redis, each who it is there."""
    return {
        "REDIS_HOST": settings.host,
        "REDIS_PORT": str(settings.port),
        "REDIS_PASSWORD": settings.password,
        "REDIS_WORKER_USER": "worker",
        "REDIS_WORKER_PASSWORD": "work",
    }
