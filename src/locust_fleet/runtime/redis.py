"""Make clients of Redis."""

from __future__ import annotations

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from locust_fleet.settings.stores import RedisSettings


def redis_client(settings: RedisSettings, timeout_s: float) -> Redis:
    """Return a client that tries once and waits at most ``timeout_s``; it connects at first use."""
    return Redis(
        host=settings.host,
        port=settings.port,
        username=settings.user,
        password=settings.password,
        socket_connect_timeout=timeout_s,
        socket_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
        # The client would set its name with CLIENT SETINFO, which workers have no right to do.
        driver_info=None,
    )
