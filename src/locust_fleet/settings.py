"""Read the environment once into frozen dataclasses.

Nobody else touches ``os.environ``: a process either starts with settings that are right or
stops with the name of the one that is not.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from locust_fleet.alerts import Thresholds
from locust_fleet.errors import SettingsError
from locust_fleet.targets import Targets

Environ = Mapping[str, str]
Value = TypeVar("Value")

BUNDLED_REDIS = "redis"
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
    """Where Redis is and who we are there."""

    host: str
    port: int
    password: str
    # None: the default one, which may do everything.
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
        """Return the settings, None for a process that has no password to Redis."""
        known = env.get("REDIS_PASSWORD") or env.get("REDIS_PASSWORD_FILE")
        return cls.from_env(env) if known else None

    @classmethod
    def of_worker(cls, env: Environ) -> RedisSettings | None:
        """Return the settings of a worker, None for one that does without Redis.

        The stack's own Redis has a user for workers; of another one it must be said.
        """
        host = text(env, "REDIS_HOST", BUNDLED_REDIS)
        user = text(env, "REDIS_WORKER_USER", "worker" if host == BUNDLED_REDIS else "")
        known = env.get("REDIS_WORKER_PASSWORD") or env.get("REDIS_WORKER_PASSWORD_FILE")
        if not (user and known):
            return None
        password = secret(env, "REDIS_WORKER_PASSWORD")
        return cls(host, port(env, "REDIS_PORT", 6379), password, user)


@dataclass(frozen=True)
class HeartbeatSettings:
    """How quickly master and workers notice that the other one is gone."""

    interval_s: int
    liveness: int
    # How long users go on without any master.
    ghost_limit_s: int

    @property
    def timeout_s(self) -> int:
        """After which time without a heartbeat somebody counts as gone."""
        return self.interval_s * self.liveness

    @classmethod
    def from_env(cls, env: Environ) -> HeartbeatSettings:
        return cls(
            interval_s=whole(env, "HEARTBEAT_INTERVAL", 1, lowest=1, highest=60),
            liveness=whole(env, "HEARTBEAT_LIVENESS", 5, lowest=2, highest=1000),
            ghost_limit_s=whole(env, "GHOST_LIMIT", 60, lowest=5, highest=3600),
        )


@dataclass(frozen=True)
class LogSettings:
    """How much is logged, how, and the folder of rotating files besides stdout, if any."""

    level: str
    format: str
    folder: Path | None

    @classmethod
    def from_env(cls, env: Environ) -> LogSettings:
        return cls(
            level=one_of(
                env, "LOCUST_LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
            ),
            format=one_of(env, "LOG_FORMAT", "json", ("JSON", "TEXT")),
            folder=Path(text(env, "LOG_DIR", "/var/log/locust-fleet"))
            if yes(env, "LOG_FILE", "false")
            else None,
        )


@dataclass(frozen=True)
class IdentitySettings:
    """Which node a worker runs on, and words that describe it."""

    node_id: str
    tags: tuple[str, ...]

    @classmethod
    def from_env(cls, env: Environ) -> IdentitySettings:
        tags = (tag.strip() for tag in env.get("NODE_TAGS", "").split(","))
        return cls(
            node_id=text(env, "NODE_ID", socket.gethostname()),
            tags=tuple(sorted({tag for tag in tags if tag})),
        )


@dataclass(frozen=True)
class ConnectionSettings:
    """How long users wait unless their scenario says otherwise; 0 for no memory of addresses."""

    connection_timeout_s: float
    network_timeout_s: float
    dns_ttl_s: float

    @classmethod
    def from_env(cls, env: Environ) -> ConnectionSettings:
        return cls(
            connection_timeout_s=whole(env, "CONNECTION_TIMEOUT", 60, lowest=1, highest=3600),
            network_timeout_s=whole(env, "NETWORK_TIMEOUT", 60, lowest=1, highest=86400),
            dns_ttl_s=whole(env, "DNS_TTL", 0, lowest=0, highest=86400),
        )


@dataclass(frozen=True)
class CapacitySettings:
    """How many users a worker bears beside others; 0 for a weight by its CPUs, and for no limit."""

    weight: float
    max_users: int

    @classmethod
    def from_env(cls, env: Environ) -> CapacitySettings:
        return cls(
            weight=number(env, "WORKER_WEIGHT", 0, highest=10_000),
            max_users=max_users_per_worker(env),
        )


@dataclass(frozen=True)
class DispatchSettings:
    """How users are divided: WEIGHTED, ROUND_ROBIN or LEAST_LOADED; 0 users for no limit."""

    way: str
    max_users_per_worker: int
    rebalance_interval_s: int

    @classmethod
    def from_env(cls, env: Environ) -> DispatchSettings:
        return cls(
            way=one_of(env, "DISPATCH", "weighted", ("WEIGHTED", "ROUND_ROBIN", "LEAST_LOADED")),
            max_users_per_worker=max_users_per_worker(env),
            rebalance_interval_s=whole(env, "REBALANCE_INTERVAL", 30, lowest=10, highest=3600),
        )


@dataclass(frozen=True)
class WorkerSettings:
    """What a worker needs to know besides Locust's own options."""

    targets: Targets
    heartbeat: HeartbeatSettings
    logs: LogSettings
    health_port: int
    metrics_port: int
    identity: IdentitySettings
    capacity: CapacitySettings
    connections: ConnectionSettings
    max_names: int
    # Without Redis, as on another host, the leader is looked for where the given name points
    # to, and shared data comes from it.
    redis: RedisSettings | None

    @classmethod
    def from_env(cls, env: Environ) -> WorkerSettings:
        return cls(
            targets=allowed_targets(env),
            heartbeat=HeartbeatSettings.from_env(env),
            logs=LogSettings.from_env(env),
            health_port=port(env, "HEALTH_PORT", 8080),
            metrics_port=port(env, "METRICS_PORT", 9090),
            identity=IdentitySettings.from_env(env),
            capacity=CapacitySettings.from_env(env),
            connections=ConnectionSettings.from_env(env),
            max_names=max_names(env),
            redis=RedisSettings.of_worker(env),
        )


@dataclass(frozen=True)
class MasterSettings:
    """What the master needs to know besides Locust's own options."""

    targets: Targets
    heartbeat: HeartbeatSettings
    logs: LogSettings
    health_port: int
    metrics_port: int
    thresholds: Thresholds
    dispatch: DispatchSettings
    max_names: int
    postgres: PostgresSettings
    # Without Redis a run ends with its master.
    redis: RedisSettings | None
    # Of this master among all, and how much it is preferred to lead.
    name: str
    priority: int
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
            metrics_port=port(env, "METRICS_PORT", 9090),
            thresholds=thresholds(env),
            dispatch=DispatchSettings.from_env(env),
            max_names=max_names(env),
            postgres=PostgresSettings.from_env(env),
            redis=RedisSettings.if_any(env),
            name=text(env, "NODE_ID", socket.gethostname()),
            priority=whole(env, "MASTER_PRIORITY", 0, lowest=0, highest=100),
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
    alert_token: str
    session_key: str
    session_hours: int
    master_url: str
    reports_dir: Path
    # Whether there is something behind these links.
    prometheus: bool
    grafana: bool

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
        )


@dataclass(frozen=True)
class MigrateSettings:
    """What the one-shot migration needs: the database, its SQL files, first admin and reader."""

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


@dataclass(frozen=True)
class SmtpSettings:
    """The mail server; ``security`` is STARTTLS, TLS or NONE."""

    host: str
    port: int
    security: str
    user: str
    password: str
    sender: str
    recipients: tuple[str, ...]

    @classmethod
    def from_env(cls, env: Environ) -> SmtpSettings | None:
        """Return the settings, None without SMTP_HOST."""
        host = text(env, "SMTP_HOST", "")
        if not host:
            return None
        return cls(
            host=host,
            port=port(env, "SMTP_PORT", 587),
            security=one_of(env, "SMTP_SECURITY", "STARTTLS", ("STARTTLS", "TLS", "NONE")),
            user=text(env, "SMTP_USER", ""),
            password=optional_secret(env, "SMTP_PASSWORD"),
            sender=mail_addresses(env, "SMTP_FROM")[0],
            recipients=mail_addresses(env, "SMTP_TO"),
        )


# The host of an address tells the vendor; anything else is the generic webhook.
VENDORS = {
    "slack.com": "slack",
    "slack-gov.com": "slack",
    "dingtalk.com": "dingtalk",
    "feishu.cn": "feishu",
    "larksuite.com": "feishu",
}
ADDRESSES = {
    "slack": "SLACK_WEBHOOK_URL",
    "dingtalk": "DINGTALK_WEBHOOK_URL",
    "feishu": "FEISHU_WEBHOOK_URL",
    "webhook": "WEBHOOK_URL",
    "email": "SMTP_HOST",
}


@dataclass(frozen=True)
class ChannelSettings:
    """Who is told: the names of the channels in use, and the addresses of all that have one."""

    names: tuple[str, ...]
    urls: Mapping[str, str]
    dingtalk_secret: str
    feishu_secret: str
    webhook_secret: str
    smtp: SmtpSettings | None
    public_url: str

    @classmethod
    def from_env(cls, env: Environ) -> ChannelSettings:
        urls = channel_urls(env)
        smtp = SmtpSettings.from_env(env)
        known = [name for name in ADDRESSES if name in urls or (name == "email" and smtp)]
        return cls(
            names=channel_names(env, known),
            urls=urls,
            dingtalk_secret=optional_secret(env, "DINGTALK_SECRET"),
            feishu_secret=optional_secret(env, "FEISHU_SECRET"),
            webhook_secret=optional_secret(env, "WEBHOOK_SECRET"),
            smtp=smtp,
            public_url=public_url(env),
        )


@dataclass(frozen=True)
class NotifierSettings:
    """What the notifier needs to know."""

    postgres: PostgresSettings
    logs: LogSettings
    channels: ChannelSettings
    health_port: int
    metrics_port: int

    @classmethod
    def from_env(cls, env: Environ) -> NotifierSettings:
        return cls(
            postgres=PostgresSettings.from_env(env),
            logs=LogSettings.from_env(env),
            channels=ChannelSettings.from_env(env),
            health_port=port(env, "HEALTH_PORT", 8080),
            metrics_port=port(env, "METRICS_PORT", 9090),
        )


def channel_urls(env: Environ) -> dict[str, str]:
    """Return the address of each channel that has one; ALERT_WEBHOOK_URL goes by its host."""
    urls = {}
    for name, setting in ADDRESSES.items():
        if name != "email" and (url := secret_url(env, setting)):
            urls[name] = url
    if url := secret_url(env, "ALERT_WEBHOOK_URL"):
        host = urlsplit(url).hostname or ""
        vendors = [name for end, name in VENDORS.items() if f".{host}".endswith(f".{end}")]
        name = vendors[0] if vendors else "webhook"
        if name in urls:
            raise SettingsError(
                f"ALERT_WEBHOOK_URL and {ADDRESSES[name]} are both set; keep one of them"
            )
        urls[name] = url
    return urls


def channel_names(env: Environ, known: list[str]) -> tuple[str, ...]:
    """Return NOTIFY_CHANNELS, or every channel that has an address."""
    asked = [part.strip().lower() for part in env.get("NOTIFY_CHANNELS", "").split(",")]
    names = list(dict.fromkeys(name for name in asked if name))
    for name in names:
        if name not in ADDRESSES:
            raise SettingsError(f"NOTIFY_CHANNELS has {name}; use some of {', '.join(ADDRESSES)}")
        if name not in known:
            raise SettingsError(f"NOTIFY_CHANNELS has {name}, but {ADDRESSES[name]} is not set")
    return tuple(names or known)


def public_url(env: Environ) -> str:
    """Return where people reach the stack: PUBLIC_URL, or the first of ALLOWED_HOSTS, or ""."""
    given = text(env, "PUBLIC_URL", "").rstrip("/")
    if given:
        return origin("PUBLIC_URL", given)
    host = env.get("ALLOWED_HOSTS", "").partition(",")[0].strip()
    if not host or "*" in host:
        return ""
    https_port = port(env, "HTTPS_PORT", 443)
    return f"https://{host}" + ("" if https_port == 443 else f":{https_port}")


def mail_addresses(env: Environ, name: str) -> tuple[str, ...]:
    """Return a setting that holds mail addresses, separated by commas; at least one."""
    found = tuple(part.strip() for part in env.get(name, "").split(",") if part.strip())
    wrong = [part for part in found if not re.fullmatch(r"[^@\s<>]+@[^@\s<>]+", part)]
    if wrong or not found:
        raise SettingsError(
            f"{name} is {wrong[0] if wrong else 'not set'}; use an address such as jo@example.org"
        )
    return found


def secret_url(env: Environ, name: str) -> str:
    """Return an address that is a secret as well, "" when it is not set; it is never printed."""
    url = optional_secret(env, name).strip()
    try:
        parts = urlsplit(url)
        right = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        right = False
    if url and (not right or not url.isascii() or not url.isprintable() or " " in url):
        raise SettingsError(f"{name} is no address; use a URL such as https://chat.example/hook")
    return url


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


def thresholds(env: Environ) -> dict[str, float]:
    """Return the thresholds of alerts in the units of locust_fleet.alerts; 0 switches one off."""
    return {
        "HighErrorRate": number(env, "ALERT_ERROR_RATE_PERCENT", 5, highest=100),
        "HighResponseTime": number(env, "ALERT_P95_MS", 2000, highest=3_600_000) / 1000,
        "LowThroughput": number(env, "ALERT_MIN_RPS", 50, highest=10_000_000),
        "SystemResourceHigh": number(env, "ALERT_CPU_PERCENT", 80, highest=100),
        "LocustHighMemoryUsage": number(env, "ALERT_MEMORY_MB", 1500, highest=1_000_000) * 1e6,
    }


def max_names(env: Environ) -> int:
    """Return how many names of requests master and workers tell apart."""
    return whole(env, "MAX_NAMES", 2000, lowest=1, highest=10_000)


def max_users_per_worker(env: Environ) -> int:
    """Return how many users one worker runs at most; 0 without a limit."""
    return whole(env, "MAX_USERS_PER_WORKER", 0, lowest=0, highest=1_000_000)


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
    value = optional_secret(env, name)
    if not value:
        raise SettingsError(f"{name} is not set; set {name}_FILE to a file that holds it")
    return value


def optional_secret(env: Environ, name: str) -> str:
    """Return a secret as ``secret`` does, "" when there is none."""
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
    return value


def whole(env: Environ, name: str, default: int, *, lowest: int, highest: int) -> int:
    """Return a setting that is a whole number within the bounds, both included."""

    def parse(value: str) -> int:
        # int() alone would take "1_000" and other scripts' digits.
        if not re.fullmatch("-?[0-9]+", value) or not lowest <= int(value) <= highest:
            raise ValueError
        return int(value)

    return _parsed(env, name, str(default), parse, f"use {lowest} to {highest}")


def number(env: Environ, name: str, default: int, *, highest: int) -> float:
    """Return a setting that is a number from 0, such as 5 or 0.5."""

    def parse(value: str) -> float:
        if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", value) or float(value) > highest:
            raise ValueError
        return float(value)

    return _parsed(env, name, str(default), parse, f"use a number from 0 to {highest}")


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


def yes(env: Environ, name: str, default: str) -> bool:
    """Return a setting that is true or false."""
    return one_of(env, name, default, ("TRUE", "FALSE")) == "TRUE"


def _parsed(
    env: Environ, name: str, default: str, parse: Callable[[str], Value], remedy: str
) -> Value:
    value = env.get(name, "").strip() or default
    try:
        return parse(value)
    except ValueError:
        raise SettingsError(f"{name} is {value}; {remedy}") from None
