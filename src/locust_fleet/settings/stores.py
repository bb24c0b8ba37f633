"""How to reach Postgres and Redis."""

from __future__ import annotations

from dataclasses import dataclass

from locust_fleet.settings.values import Environ, port, secret, text

BUNDLED_REDIS = "redis"


@dataclass(frozen=True)
class PostgresSettings:
    """How to reach the results database."""

    host: str
    port: int
    database: str
    user: str
    password: str

    @classmethod
    def from_env(cls, env: Environ) -> PostgresSettings:
        return cls(
            host=text(env, "POSTGRES_HOST", "postgres"),
            port=port(env, "POSTGRES_PORT", 5432),
            database=text(env, "POSTGRES_DB", "locust_fleet"),
            user=text(env, "POSTGRES_USER", "locust_fleet"),
            password=secret(env, "POSTGRES_PASSWORD"),
        )


@dataclass(frozen=True)
class RedisSettings:
    """How to reach Redis."""

    host: str
    port: int
    password: str
    # None: the default user of Redis, which has all rights.
    user: str | None = None

    @classmethod
    def from_env(cls, env: Environ) -> RedisSettings:
        return cls(
            host=text(env, "REDIS_HOST", BUNDLED_REDIS),
            port=port(env, "REDIS_PORT", 6379),
            password=secret(env, "REDIS_PASSWORD"),
        )

    @classmethod
    def if_any(cls, env: Environ) -> RedisSettings | None:
        """Return the settings, None for a process without REDIS_PASSWORD."""
        has_password = env.get("REDIS_PASSWORD") or env.get("REDIS_PASSWORD_FILE")
        return cls.from_env(env) if has_password else None

    @classmethod
    def of_worker(cls, env: Environ) -> RedisSettings | None:
        """Return the settings of a worker, None for a worker without access to Redis.

        The bundled Redis has a user for workers; for another Redis, REDIS_WORKER_USER names it.
        """
        host = text(env, "REDIS_HOST", BUNDLED_REDIS)
        user = text(env, "REDIS_WORKER_USER", "worker" if host == BUNDLED_REDIS else "")
        has_password = env.get("REDIS_WORKER_PASSWORD") or env.get("REDIS_WORKER_PASSWORD_FILE")
        if not (user and has_password):
            return None
        password = secret(env, "REDIS_WORKER_PASSWORD")
        return cls(host, port(env, "REDIS_PORT", 6379), password, user)
