"""What the routes work with, made once per process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from redis import Redis

from locust_fleet.console.access.audit import AuditLog
from locust_fleet.console.access.identity_cache import IdentityCache
from locust_fleet.console.access.login_throttle import LoginThrottle
from locust_fleet.console.access.passwords import Passwords
from locust_fleet.console.access.sessions import LoginSessions
from locust_fleet.console.database import Database
from locust_fleet.console.runs.history import History
from locust_fleet.console.runs.leader import Leader
from locust_fleet.console.runs.master_client import MasterClient
from locust_fleet.runtime import postgres
from locust_fleet.runtime.postgres import Connect
from locust_fleet.runtime.redis import redis_client
from locust_fleet.settings.console import ConsoleSettings

# A sign-in asks Redis at most twice, and then counts failed sign-ins in memory.
REDIS_TIMEOUT_S = 0.5


@dataclass(frozen=True)
class Stores:
    """How to reach Postgres and Redis; neither is connected before it is needed."""

    connect: Connect
    redis: Redis

    @classmethod
    def of(cls, settings: ConsoleSettings) -> Stores:
        """Return the stores of these settings."""
        return cls(
            partial(postgres.connect, settings.postgres),
            redis_client(settings.redis, REDIS_TIMEOUT_S),
        )


@dataclass(frozen=True)
class Services:
    """Everything that has a state or talks to another service."""

    front_secret: str
    alert_token: str
    database: Database
    directory: IdentityCache
    audit: AuditLog
    sessions: LoginSessions
    passwords: Passwords
    login_throttle: LoginThrottle
    redis: Redis
    leader: Leader
    master: MasterClient
    history: History

    @classmethod
    def of(cls, settings: ConsoleSettings, stores: Stores) -> Services:
        """Make the services; nothing is connected and nothing runs yet."""
        database = Database(stores.connect)
        leader = Leader(stores.redis)
        master = MasterClient(settings.master_url, settings.front_secret, leader)
        return cls(
            front_secret=settings.front_secret,
            alert_token=settings.alert_token,
            database=database,
            directory=IdentityCache(stores.connect),
            audit=AuditLog(stores.connect),
            sessions=LoginSessions(settings.session_key, settings.session_hours),
            passwords=Passwords(),
            login_throttle=LoginThrottle(stores.redis),
            redis=stores.redis,
            leader=leader,
            master=master,
            history=History(database, master, settings.reports_dir),
        )
