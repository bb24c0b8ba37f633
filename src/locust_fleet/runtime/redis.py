"""The way to Redis."""

from __future__ import annotations

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from locust_fleet.settings.stores import RedisSettings


def redis_client(settings: RedisSettings, patience_s: float) -> Redis:
    """Return a client that waits at most so long for Redis, once; it connects at first use."""
    return Redis(
        host=settings.host,
        port=settings.port,
        username=settings.user,
        password=settings.password,
        socket_connect_timeout=patience_s,
        socket_timeout=patience_s,
        retry=Retry(NoBackoff(), 0),
        # It would say its name, which workers may not.
        driver_info=None,
    )
