"""Redis and Postgres as programs of this machine, for benchmarks that need no containers."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from locust_fleet.errors import StoreUnavailable
from locust_fleet.runtime import postgres
from locust_fleet.settings.stores import PostgresSettings, RedisSettings
from tests.bench.machine import program
from tests.support.checkout import ROOT
from tests.support.ports import free_port
from tests.support.postgres import MIGRATIONS
from tests.support.waiting import wait_until


@contextmanager
def redis_server(address: str) -> Iterator[RedisSettings]:
    """Yield a Redis with the users of ours."""
    settings = RedisSettings(address, free_port(address), "test")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "redis.conf")
        text = f'bind {address}\nport {settings.port}\nappendonly yes\nsave ""\n{_users()}'
        file.write_text(text)
        command = [program("redis-server"), str(file)]
        server = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
        try:
            wait_until(lambda: _listens(settings), "Redis answering", 10)
            yield settings
        finally:
            server.terminate()
            server.wait()


def _users() -> str:
    rights = " ".join((ROOT / "redis" / "worker.acl").read_text().split())
    return f"user default on >test ~* &* +@all\nuser worker on >work {rights}\n"


@contextmanager
def postgres_server(address: str) -> Iterator[PostgresSettings]:
    """Yield a Postgres with our tables."""
    settings = PostgresSettings(address, free_port(address), "postgres", "postgres", "test")
    with tempfile.TemporaryDirectory() as name:
        folder, who = Path(name), None
        # It refuses to run as root.
        if os.geteuid() == 0:
            who = "postgres"
            shutil.chown(folder, who, who)
        data = folder / "data"
        made = [program("initdb"), "--pgdata", str(data), "--username=postgres", "--no-sync"]
        subprocess.run(made, user=who, check=True, capture_output=True)
        places = {"listen_addresses": address, "unix_socket_directories": name, "fsync": "off"}
        options = [word for key, value in places.items() for word in ("-c", f"{key}={value}")]
        server = subprocess.Popen(
            [program("postgres"), "-D", str(data), "-p", str(settings.port), *options],
            user=who,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until(lambda: _migrated(settings), "Postgres answering", 30)
            yield settings
        finally:
            server.terminate()
            server.wait()


def _migrated(settings: PostgresSettings) -> bool:
    try:
        with postgres.connect(settings) as connection:
            postgres.migrate(connection, MIGRATIONS)
    except StoreUnavailable:
        return False
    return True


def _listens(settings: RedisSettings) -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection((settings.host, settings.port)).close()
        return True
    return False
