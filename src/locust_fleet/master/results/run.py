"""A run: who requested it, what it does, and its state."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from locust_fleet.policy.alert_thresholds import Thresholds


@dataclass(frozen=True)
class RunRequest:
    """A request for a run: who made it, and the run's id, name, run time and alert thresholds."""

    run_id: str
    started_by: str
    name: str
    run_time_s: float | None
    alerts: Thresholds = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """A run from its start on; times are UTC, the spawn rate is users per second."""

    id: str
    name: str
    started_by: str
    locustfile: str
    host: str
    users: int
    spawn_rate: float
    run_time_s: float | None
    started_at: datetime
    state: str = "running"
    # Alert thresholds of this run, valid until it ends.
    alerts: Thresholds = field(default_factory=dict)

    @property
    def ends_at(self) -> datetime | None:
        """When the run ends by its run time; None without one."""
        if self.run_time_s is None:
            return None
        return self.started_at + timedelta(seconds=self.run_time_s)

    def describe(self) -> str:
        """Return a sentence about who runs what, for a person whose own start is refused."""
        return (
            f"{self.started_by} runs {self.locustfile} against {self.host}"
            f" since {self.started_at:%H:%M:%S} UTC"
        )

    def log_context(self) -> dict[str, str]:
        """Return the fields of the run in each log line, here and on its workers."""
        name = self.name or Path(self.locustfile).name
        return {"run_id": self.id, "test_name": name, "user_id": self.started_by}

    @classmethod
    def from_json(cls, run: Mapping[str, Any]) -> Run:
        """Return a run from what ``to_json`` returned."""
        own = {field.name: run[field.name] for field in fields(cls)}
        return cls(**{**own, "started_at": datetime.fromisoformat(run["started_at"])})

    def to_json(self) -> dict[str, Any]:
        """Return the run for JSON, times in ISO 8601."""
        return {
            "id": self.id,
            "name": self.name,
            "started_by": self.started_by,
            "locustfile": self.locustfile,
            "host": self.host,
            "users": self.users,
            "spawn_rate": self.spawn_rate,
            "run_time_s": self.run_time_s,
            "started_at": self.started_at.isoformat(),
            "ends_at": self.ends_at.isoformat() if self.ends_at else None,
            "state": self.state,
            "alerts": dict(self.alerts),
        }


def new_run_id(now: datetime) -> str:
    """Return an id that sorts by time: YYYYMMDD-HHMMSS-xxxx, UTC and four random hex digits."""
    return f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def utc_now() -> datetime:
    """Return the present time as an aware datetime in UTC."""
    return datetime.now(UTC)
