"""Settings that several processes share: heartbeat, logs, allowed targets, bounds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from locust_fleet.errors import SettingsError
from locust_fleet.policy.allowlist import Allowlist
from locust_fleet.settings.values import Environ, one_of, origin, text, whole, yes

DEMO_TARGET = "http://demo-target:8000"


@dataclass(frozen=True)
class HeartbeatSettings:
    """How quickly master and workers notice that the other side is gone."""

    interval_s: int
    liveness: int
    # How long a worker keeps its users running without a master.
    ghost_limit_s: int

    @property
    def timeout_s(self) -> int:
        """Seconds without a heartbeat after which the other side counts as gone."""
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
    """The least level, JSON or TEXT, and the folder of log files (None: stdout alone)."""

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


def allowed_targets(env: Environ) -> Allowlist:
    """Return ALLOWED_TARGETS; when it is empty, the demo target and TARGET_HOST.

    Raises SettingsError for an entry of another form.
    """
    patterns = [part.strip() for part in env.get("ALLOWED_TARGETS", "").split(",") if part.strip()]
    if not patterns:
        patterns = [DEMO_TARGET]
        target_host = env.get("TARGET_HOST", "").strip()
        if target_host:
            patterns.append(origin("TARGET_HOST", target_host))
        patterns = list(dict.fromkeys(patterns))
    try:
        return Allowlist.parse(patterns)
    except ValueError as error:
        raise SettingsError(f"ALLOWED_TARGETS: {error}") from None


def max_names(env: Environ) -> int:
    """Return MAX_NAMES: how many names of requests master and workers count separately."""
    return whole(env, "MAX_NAMES", 2000, lowest=1, highest=10_000)


def max_users_per_worker(env: Environ) -> int:
    """Return how many users a worker runs at most; 0 for no limit."""
    return whole(env, "MAX_USERS_PER_WORKER", 0, lowest=0, highest=1_000_000)
