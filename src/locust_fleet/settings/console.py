"""Settings of the console, and of the migration that runs before it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from locust_fleet.settings.fleet import LogSettings
from locust_fleet.settings.stores import PostgresSettings, RedisSettings
from locust_fleet.settings.values import Environ, secret, text, whole, yes


@dataclass(frozen=True)
class ConsoleSettings:
    """Settings of the console."""

    postgres: PostgresSettings
    redis: RedisSettings
    logs: LogSettings
    front_secret: str
    alert_token: str
    session_key: str
    session_hours: int
    master_url: str
    reports_dir: Path
    # Whether the pages link to them.
    prometheus: bool
    grafana: bool
    # Whether the processes of gunicorn share their metrics.
    several_processes: bool

    @classmethod
    def from_env(cls, env: Environ) -> ConsoleSettings:
        return cls(
            postgres=PostgresSettings.from_env(env),
            redis=RedisSettings.from_env(env),
            logs=LogSettings.from_env(env),
            front_secret=secret(env, "FRONT_SECRET"),
            alert_token=secret(env, "ALERT_TOKEN"),
            session_key=secret(env, "SESSION_KEY"),
            session_hours=whole(env, "SESSION_HOURS", 12, lowest=1, highest=720),
            master_url=text(env, "MASTER_URL", "http://locust-master:8089"),
            reports_dir=Path(text(env, "REPORTS_DIR", "/var/lib/locust-fleet/reports")),
            prometheus=yes(env, "MONITORING_ENABLED", "true"),
            grafana="grafana" in env.get("COMPOSE_PROFILES", "").split(","),
            several_processes="PROMETHEUS_MULTIPROC_DIR" in env,
        )


@dataclass(frozen=True)
class MigrateSettings:
    """Settings of ``migrate``: the database, its SQL files, the first admin and the reader."""

    postgres: PostgresSettings
    migrations_dir: Path
    web_auth: str
    reader_password: str

    @classmethod
    def from_env(cls, env: Environ) -> MigrateSettings:
        return cls(
            postgres=PostgresSettings.from_env(env),
            migrations_dir=Path(text(env, "MIGRATIONS_DIR", "/migrations")),
            web_auth=secret(env, "WEB_AUTH"),
            reader_password=secret(env, "READER_PASSWORD"),
        )
