"""``locust-fleet notifier`` and ``locust-fleet notify --test CHANNEL``."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import threading
from datetime import UTC, datetime
from functools import partial

from locust_fleet import logs
from locust_fleet.errors import SettingsError
from locust_fleet.notify import health, metrics, outbox
from locust_fleet.notify.channels.channel import attempt, build
from locust_fleet.notify.channels.delivery_result import Result
from locust_fleet.notify.message import Message
from locust_fleet.notify.notifier import Notifier
from locust_fleet.runtime import postgres
from locust_fleet.settings.notifier import ADDRESS_SETTINGS, ChannelSettings, NotifierSettings

# How long tries under way may take when the process ends; Compose waits a little longer.
END_TIMEOUT_S = 25.0

logger = logging.getLogger(__name__)


def add_parsers(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``notifier`` and ``notify``."""
    command = subparsers.add_parser("notifier", help="deliver notifications to their channels")
    command.set_defaults(run=run)
    command = subparsers.add_parser("notify", help="send a test message to a channel")
    command.add_argument("--test", required=True, choices=list(ADDRESS_SETTINGS), metavar="CHANNEL")
    command.set_defaults(run=test)


def run(_: argparse.Namespace) -> int:
    """Deliver until SIGTERM or SIGINT; raises SettingsError."""
    settings = NotifierSettings.from_env(os.environ)
    logs.configure(settings.logs, "notifier")
    connect = partial(postgres.connect, settings.postgres)
    notifier = Notifier(connect, build(settings.channels))
    closing = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: closing.set())
    health.serve(settings.health_port, notifier)
    metrics.serve(settings.metrics_port, connect)
    notifier.start()
    logger.info("channels: %s", ", ".join(settings.channels.names) or "none is set")
    closing.wait()
    notifier.end(END_TIMEOUT_S)
    return 0


def test(arguments: argparse.Namespace) -> int:
    """Send a message past the outbox and print the vendor's answer; 1 unless it was accepted."""
    settings = ChannelSettings.from_env(os.environ)
    channels = {channel.name: channel for channel in build(settings)}
    if arguments.test not in channels:
        raise SettingsError(
            f"the channel {arguments.test} is not in use; set {ADDRESS_SETTINGS[arguments.test]},"
            " and add it to NOTIFY_CHANNELS if that is set"
        )
    answer = attempt(
        channels[arguments.test],
        Message(
            alert_name="TestMessage",
            severity="info",
            status="test",
            summary="A test message of Locust Fleet",
            at=datetime.now(UTC),
            thread="test",
            description="Somebody ran locust-fleet notify --test. Nothing is wrong.",
        ),
    )
    print(outbox.storable(answer.text))
    return 0 if answer.result is Result.DELIVERED else 1
