"""Read the environment once into frozen dataclasses.

Nobody else touches ``os.environ``: a process either starts with settings that are right or
stops with the name of the one that is not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from locust_fleet.errors import SettingsError
from locust_fleet.targets import Targets

Environ = Mapping[str, str]
Value = TypeVar("Value")

DEMO_TARGET = "http://demo-target:8000"


@dataclass(frozen=True)
class PostgresSettings:
    """Where the results database is and who we are there."""

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
    """Where Redis is."""

    host: str
    port: int
    password: str

    @classmethod
    def from_env(cls, env: Environ) -> RedisSettings:
        return cls(
            host=text(env, "REDIS_HOST", "redis"),
            port=port(env, "REDIS_PORT", 6379),
            password=secret(env, "REDIS_PASSWORD"),
        )


@dataclass(frozen=True)
class HeartbeatSettings:
    """How quickly master and workers notice that the other one is gone."""

    interval_s: int
    liveness: int
    master_timeout_s: int

    @classmethod
    def from_env(cls, env: Environ) -> HeartbeatSettings:
        return cls(
            interval_s=whole(env, "HEARTBEAT_INTERVAL", 1, lowest=1, highest=60),
            liveness=whole(env, "HEARTBEAT_LIVENESS", 5, lowest=2, highest=1000),
            master_timeout_s=whole(env, "MASTER_TIMEOUT", 60, lowest=5, highest=3600),
        )


@dataclass(frozen=True)
class LogSettings:
    """How much is logged, and the folder of rotating files besides stdout; None for no file."""

    level: str
    folder: Path | None

    @classmethod
    def from_env(cls, env: Environ) -> LogSettings:
        folder = env.get("LOG_DIR", "")
        return cls(
            level=one_of(
                env, "LOCUST_LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
            ),
            folder=Path(folder) if folder else None,
        )


@dataclass(frozen=True)
class WorkerSettings:
    """What a worker needs to know besides Locust's own options."""

    targets: Targets
    heartbeat: HeartbeatSettings
    logs: LogSettings
    health_port: int
    max_names: int

    @classmethod
    def from_env(cls, env: Environ) -> WorkerSettings:
        return cls(
            targets=allowed_targets(env),
            heartbeat=HeartbeatSettings.from_env(env),
            logs=LogSettings.from_env(env),
            health_port=port(env, "HEALTH_PORT", 8080),
            max_names=max_names(env),
        )


@dataclass(frozen=True)
class MasterSettings:
    """What the master needs to know besides Locust's own options."""

    targets: Targets
    heartbeat: HeartbeatSettings
    logs: LogSettings
    health_port: int
    max_names: int
    postgres: PostgresSettings
    front_secret: str
    reports_dir: Path
    spool_dir: Path
    results_retention_days: int
    version: str

    @classmethod
    def from_env(cls, env: Environ) -> MasterSettings:
        return cls(
            targets=allowed_targets(env),
            heartbeat=HeartbeatSettings.from_env(env),
            logs=LogSettings.from_env(env),
            health_port=port(env, "HEALTH_PORT", 8080),
            max_names=max_names(env),
            postgres=PostgresSettings.from_env(env),
            front_secret=secret(env, "FRONT_SECRET"),
            reports_dir=Path(text(env, "REPORTS_DIR", "/var/lib/locust-fleet/reports")),
            spool_dir=Path(text(env, "SPOOL_DIR", "/var/lib/locust-fleet/spool")),
            results_retention_days=whole(env, "RESULTS_RETENTION_DAYS", 0, lowest=0, highest=36500),
            version=text(env, "FLEET_VERSION", "unknown"),
        )


@dataclass(frozen=True)
class ConsoleSettings:
    """What the console needs to know."""

    postgres: PostgresSettings
    redis: RedisSettings
    logs: LogSettings
    front_secret: str
    session_key: str
    session_hours: int
    master_url: str
    reports_dir: Path

    @classmethod
    def from_env(cls, env: Environ) -> ConsoleSettings:
        return cls(
            postgres=PostgresSettings.from_env(env),
            redis=RedisSettings.from_env(env),
            logs=LogSettings.from_env(env),
            front_secret=secret(env, "FRONT_SECRET"),
            session_key=secret(env, "SESSION_KEY"),
            session_hours=whole(env, "SESSION_HOURS", 12, lowest=1, highest=720),
            master_url=text(env, "MASTER_URL", "http://locust-master:8089"),
            reports_dir=Path(text(env, "REPORTS_DIR", "/var/lib/locust-fleet/reports")),
        )


@dataclass(frozen=True)
class MigrateSettings:
    """What the one-shot migration needs: the database, its SQL files and the first admin."""

    postgres: PostgresSettings
    migrations_dir: Path
    web_auth: str

    @classmethod
    def from_env(cls, env: Environ) -> MigrateSettings:
        return cls(
            postgres=PostgresSettings.from_env(env),
            migrations_dir=Path(text(env, "MIGRATIONS_DIR", "/migrations")),
            web_auth=secret(env, "WEB_AUTH"),
        )


def allowed_targets(env: Environ) -> Targets:
    """Return where load may go: ALLOWED_TARGETS, or the demo target and TARGET_HOST.

    Raises SettingsError for a pattern that is not one.
    """
    patterns = [part.strip() for part in env.get("ALLOWED_TARGETS", "").split(",") if part.strip()]
    if not patterns:
        patterns = [DEMO_TARGET]
        target_host = env.get("TARGET_HOST", "").strip()
        if target_host:
            patterns.append(origin("TARGET_HOST", target_host))
        patterns = list(dict.fromkeys(patterns))
    try:
        return Targets.parse(patterns)
    except ValueError as error:
        raise SettingsError(f"ALLOWED_TARGETS: {error}") from None


def max_names(env: Environ) -> int:
    """Return how many names of requests master and workers tell apart."""
    return whole(env, "MAX_NAMES", 2000, lowest=1, highest=10_000)


def origin(name: str, url: str) -> str:
    """Return scheme://host[:port] of a URL; SettingsError names the setting it came from."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError(f"{name} is '{url}'; use a URL such as http://shop.example:8080")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def text(env: Environ, name: str, default: str | None = None) -> str:
    """Return a setting's text, or its default when it is unset or empty."""
    value = env.get(name, "").strip() or default
    if value is None:
        raise SettingsError(f"{name} is not set; add it to .env")
    return value


def secret(env: Environ, name: str) -> str:
    """Return a secret from NAME, or from the file that NAME_FILE points to; both is an error."""
    value, path = env.get(name, ""), env.get(f"{name}_FILE", "")
    if value and path:
        raise SettingsError(f"{name} and {name}_FILE are both set; keep one of them")
    if path:
        try:
            value = Path(path).read_text(encoding="utf-8").strip("\r\n")
        except OSError as error:
            raise SettingsError(
                f"{name}_FILE is {path}, which cannot be read ({error.strerror});"
                " run scripts/deploy.sh production to create missing secrets"
            ) from None
    if not value:
        raise SettingsError(f"{name} is not set; set {name}_FILE to a file that holds it")
    return value


def whole(env: Environ, name: str, default: int, *, lowest: int, highest: int) -> int:
    """Return a setting that is a whole number within the bounds, both included."""

    def parse(value: str) -> int:
        # int() alone would take "1_000" and other scripts' digits.
        if not re.fullmatch("-?[0-9]+", value) or not lowest <= int(value) <= highest:
            raise ValueError
        return int(value)

    return _parsed(env, name, str(default), parse, f"use {lowest} to {highest}")


def port(env: Environ, name: str, default: int) -> int:
    """Return a setting that is a TCP port."""
    return whole(env, name, default, lowest=1, highest=65535)


def one_of(env: Environ, name: str, default: str, choices: tuple[str, ...]) -> str:
    """Return a setting that is one of the choices, in upper case."""

    def parse(value: str) -> str:
        if value.upper() not in choices:
            raise ValueError
        return value.upper()

    return _parsed(env, name, default, parse, f"use one of {', '.join(choices)}")


def _parsed(
    env: Environ, name: str, default: str, parse: Callable[[str], Value], remedy: str
) -> Value:
    value = env.get(name, "").strip() or default
    try:
        return parse(value)
    except ValueError:
        raise SettingsError(f"{name} is {value}; {remedy}") from None
