"""Settings of a worker."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from locust_fleet.policy.allowlist import Allowlist
from locust_fleet.settings.fleet import (
    HeartbeatSettings,
    LogSettings,
    allowed_targets,
    max_names,
    max_users_per_worker,
)
from locust_fleet.settings.stores import RedisSettings
from locust_fleet.settings.values import Environ, number, port, text, whole


@dataclass(frozen=True)
class IdentitySettings:
    """The node that a worker runs on, and tags that describe it."""

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
    """Timeouts of HTTP clients unless the scenario sets others; 0 s switches the DNS cache off."""

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
    """The share of a worker: a weight of 0 means its number of CPUs, 0 users mean no limit."""

    weight: float
    max_users: int

    @classmethod
    def from_env(cls, env: Environ) -> CapacitySettings:
        return cls(
            weight=number(env, "WORKER_WEIGHT", 0, highest=10_000),
            max_users=max_users_per_worker(env),
        )


@dataclass(frozen=True)
class WorkerSettings:
    """Settings of a worker besides the options of Locust."""

    targets: Allowlist
    heartbeat: HeartbeatSettings
    logs: LogSettings
    health_port: int
    metrics_port: int
    identity: IdentitySettings
    capacity: CapacitySettings
    connections: ConnectionSettings
    max_names: int
    # None: no access to Redis, as on another host. Then the worker finds the leader by the name
    # that it was given, and gets shared data from the leader.
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
