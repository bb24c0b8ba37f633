"""Settings of commands that are no long-running service."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from locust_fleet.settings.values import Environ, secret, text


@dataclass(frozen=True)
class LocustfileSettings:
    """Which locustfile to check, and the spool where a master looks for the result."""

    locustfile: Path
    spool_dir: Path

    @classmethod
    def from_env(cls, env: Environ) -> LocustfileSettings:
        return cls(
            locustfile=Path(env.get("LOCUST_LOCUSTFILE", "")),
            spool_dir=Path(text(env, "SPOOL_DIR", "/var/lib/locust-fleet/spool")),
        )


def target_ca_file(env: Environ) -> Path | None:
    """Return the file with private CAs of targets, None when it is not set or missing."""
    path = Path(env.get("TARGET_CA_FILE", ""))
    return path if path.is_file() else None


def front_secret(env: Environ) -> str:
    """Return the secret that a master asks of whoever does not come through nginx."""
    return secret(env, "FRONT_SECRET")


def api_token(env: Environ) -> str:
    """Return the API token of the caller, "" when there is none."""
    return env.get("FLEET_TOKEN", "")
