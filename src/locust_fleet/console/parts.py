"""What the routes work with, put together once per process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from redis import Redis

from locust_fleet.console.audit import AuditLog
from locust_fleet.console.database import Connect, Database
from locust_fleet.console.directory import Directory
from locust_fleet.console.history import History
from locust_fleet.console.leader import Leader
from locust_fleet.console.master import Master
from locust_fleet.console.passwords import Passwords
from locust_fleet.console.sessions import Sessions
from locust_fleet.console.slowdown import Slowdown
from locust_fleet.runtime import postgres
from locust_fleet.runtime.redis import redis_client
from locust_fleet.settings.console import ConsoleSettings

# A sign-in waits for Redis at most twice this long, and then counts without it.
REDIS_S = 0.5


@dataclass(frozen=True)
class Stores:
    """The way to Postgres and to Redis; neither is connected before it is needed."""

    connect: Connect
    redis: Redis

    @classmethod
    def of(cls, settings: ConsoleSettings) -> Stores:
        """Return the ways to the stores of these settings."""
        return cls(
            partial(postgres.connect, settings.postgres), redis_client(settings.redis, REDIS_S)
        )


@dataclass(frozen=True)
class Parts:
    """Everything that has a state or talks to another service."""

    front_secret: str
    alert_token: str
    database: Database
    directory: Directory
    audit: AuditLog
    sessions: Sessions
    passwords: Passwords
    slowdown: Slowdown
    redis: Redis
    leader: Leader
    master: Master
    history: History

    @classmethod
    def of(cls, settings: ConsoleSettings, stores: Stores) -> Parts:
        """Make the parts; nothing is connected and nothing runs yet."""
        database = Database(stores.connect)
        leader = Leader(stores.redis)
        master = Master(settings.master_url, settings.front_secret, leader)
        return cls(
            front_secret=settings.front_secret,
            alert_token=settings.alert_token,
            database=database,
            directory=Directory(stores.connect),
            audit=AuditLog(stores.connect),
            sessions=Sessions(settings.session_key, settings.session_hours),
            passwords=Passwords(),
            slowdown=Slowdown(stores.redis),
            redis=stores.redis,
            leader=leader,
            master=master,
            history=History(database, master, settings.reports_dir),
        )
