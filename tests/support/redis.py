"""Redis in containers, as the stack runs it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import redis

from locust_fleet.settings.stores import RedisSettings
from tests.support.checkout import ROOT
from tests.support.engine import ADDRESS, container
from tests.support.waiting import wait_until

REDIS_IMAGE = os.environ.get("REDIS_IMAGE", "locust-fleet/redis:packages")
# As the compose file starts it.
REDIS_COMMAND = ("sh", "/etc/redis/start.sh")


@contextmanager
def running_redis(secrets: Path) -> Iterator[RedisSettings]:
    """Run a Redis with its passwords in a folder; yields how the master signs in."""
    options = redis_options(secrets)
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


def redis_client(settings: RedisSettings) -> redis.Redis:
    """Return a client with the rights of a master."""
    return redis.Redis(host=settings.host, port=settings.port, password=settings.password)


def wait_for_redis(settings: RedisSettings) -> None:
    client = redis_client(settings)

    def answers() -> bool:
        with suppress(redis.RedisError):
            return bool(client.ping())
        return False

    wait_until(answers, "Redis answering")


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
