"""The hosts that a run would load."""

from __future__ import annotations

from locust.env import Environment


def hosts_of_users(environment: Environment, host: str | None = None) -> list[str | None]:
    """Return the hosts that users would have: the one given, the run's, or their classes' own."""
    common = environment.host if host is None else host
    return [common] if common else [user.host for user in environment.user_classes]
