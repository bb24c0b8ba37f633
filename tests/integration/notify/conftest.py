"""A notifier with a real Postgres, and local servers in the place of the vendors."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import psycopg
import pytest

from locust_fleet.notify import outbox
from locust_fleet.notify.channels.channel import Channel, build
from locust_fleet.notify.message import Message
from locust_fleet.notify.notifier import Notifier
from locust_fleet.runtime import postgres
from locust_fleet.settings.notifier import ADDRESS_SETTINGS, ChannelSettings
from locust_fleet.settings.stores import PostgresSettings
from tests.integration.notify.vendors import SECRET, Vendor, serve
from tests.support.certificates import self_signed
from tests.support.checkout import ROOT
from tests.support.ports import free_port
from tests.support.postgres import postgres_environment
from tests.support.process import LOCUST_FLEET

ADDRESS = "127.0.0.64"

Vendors = Callable[[str], Vendor]


def message(number: int, *, thread: str = "", status: str = "firing") -> Message:
    return Message(
        alert_name=f"Alert{number}",
        severity="critical",
        status=status,
        summary=f"Alert {number} of the test.",
        at=datetime.now(UTC),
        thread=thread or f"thread {number}",
        value=str(number),
    )


@pytest.fixture
def vendors() -> Iterator[Vendors]:
    """Starts a vendor's server."""
    with ExitStack() as servers:
        yield lambda name: servers.enter_context(serve(name, ADDRESS))


def channel_of(name: str, url: str) -> Channel:
    """Return a channel that talks to a local server."""
    env = {ADDRESS_SETTINGS[name]: url}
    env |= dict.fromkeys(("DINGTALK_SECRET", "FEISHU_SECRET", "WEBHOOK_SECRET"), SECRET)
    (channel,) = build(ChannelSettings.from_env(env))
    return channel


@pytest.fixture
def notifier(postgres_settings: PostgresSettings) -> Iterator[Callable[..., Notifier]]:
    """Starts notifiers, and ends them."""
    started: list[Notifier] = []

    def start(*channels: Channel) -> Notifier:
        notifier = Notifier(partial(postgres.connect, postgres_settings), channels)
        notifier.start()
        started.append(notifier)
        return notifier

    yield start
    for each in started:
        each.end(20)


class Process:
    """A notifier in a process of its own, as the stack runs it."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.health = f"http://{ADDRESS}:{environment['HEALTH_PORT']}"
        self.metrics = f"http://{ADDRESS}:{environment['METRICS_PORT']}/metrics"
        self._process = subprocess.Popen(
            (*LOCUST_FLEET, "notifier"),
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def send(self, number: signal.Signals) -> tuple[int, str]:
        """Send a signal; returns the exit code and what it said."""
        self._process.send_signal(number)
        said, _ = self._process.communicate(timeout=60)
        return self._process.returncode, said


@pytest.fixture
def process(postgres_settings: PostgresSettings) -> Iterator[Callable[..., Process]]:
    """Starts notifiers in processes of their own."""
    started: list[Process] = []

    def start(**settings: str) -> Process:
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT / "src"),
            **postgres_environment(postgres_settings),
            "HEALTH_PORT": str(free_port(ADDRESS)),
            "METRICS_PORT": str(free_port(ADDRESS)),
            "WEBHOOK_SECRET": SECRET,
            **settings,
        }
        started.append(Process(environment))
        return started[-1]

    yield start
    for each in started:
        each.send(signal.SIGKILL)


def store(connection: psycopg.Connection, *messages: Message) -> None:
    for each in messages:
        assert outbox.store(connection, each)


def states(connection: psycopg.Connection) -> list[str]:
    """Return the states of all deliveries, in the order of their messages."""
    rows = connection.execute(
        "SELECT state FROM outbox_deliveries ORDER BY seq, channel"
    ).fetchall()
    return [state for (state,) in rows]


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a self-signed certificate for the tests' address; returns it and its key."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    for file, text in zip(
        (cert, key), self_signed("mail", "-addext", f"subjectAltName=IP:{ADDRESS}"), strict=True
    ):
        file.write_text(text)
    return cert, key
