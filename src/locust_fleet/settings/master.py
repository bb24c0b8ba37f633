"""Settings of a master."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

from locust_fleet.policy.alert_thresholds import Thresholds
from locust_fleet.policy.allowlist import Allowlist
from locust_fleet.settings.fleet import (
    HeartbeatSettings,
    LogSettings,
    allowed_targets,
    max_names,
    max_users_per_worker,
)
from locust_fleet.settings.stores import PostgresSettings, RedisSettings
from locust_fleet.settings.values import Environ, number, one_of, port, secret, text, whole


@dataclass(frozen=True)
class DispatchSettings:
    """How users are divided among workers.

    ``way`` is WEIGHTED, ROUND_ROBIN or LEAST_LOADED; 0 users mean no limit.
    """

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
class MasterSettings:
    """Settings of a master besides the options of Locust."""

    targets: Allowlist
    heartbeat: HeartbeatSettings
    logs: LogSettings
    health_port: int
    metrics_port: int
    thresholds: Thresholds
    dispatch: DispatchSettings
    max_names: int
    postgres: PostgresSettings
    # None: no Redis, so a run ends with its master.
    redis: RedisSettings | None
    # The name of this master in the election; a standby of higher priority leads first.
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


def thresholds(env: Environ) -> dict[str, float]:
    """Return the defaults in the units of policy/alert_thresholds.py; 0 switches one off."""
    return {
        "HighErrorRate": number(env, "ALERT_ERROR_RATE_PERCENT", 5, highest=100),
        "HighResponseTime": number(env, "ALERT_P95_MS", 2000, highest=3_600_000) / 1000,
        "LowThroughput": number(env, "ALERT_MIN_RPS", 50, highest=10_000_000),
        "IterationsDropped": number(env, "ALERT_DROPPED_PERCENT", 1, highest=100),
        "SystemResourceHigh": number(env, "ALERT_CPU_PERCENT", 80, highest=100),
        "LocustHighMemoryUsage": number(env, "ALERT_MEMORY_MB", 1500, highest=1_000_000) * 1e6,
    }
