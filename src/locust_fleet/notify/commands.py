"""``locust-fleet notifier`` and ``locust-fleet notify --test CHANNEL``."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import threading
from datetime import UTC, datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.process_collector import ProcessCollector

from locust_fleet import logs
from locust_fleet.errors import SettingsError
from locust_fleet.notify import outbox
from locust_fleet.notify.backoff import Result
from locust_fleet.notify.channels.channel import attempt, build
from locust_fleet.notify.message import Message
from locust_fleet.notify.metrics import OutboxCollector
from locust_fleet.notify.notifier import Notifier
from locust_fleet.runtime import postgres
from locust_fleet.settings.notifier import ADDRESS_SETTINGS, ChannelSettings, NotifierSettings

# A try takes up to a minute at the slowest mail server; Compose waits a little longer.
FAREWELL_S = 25.0

logger = logging.getLogger(__name__)


def add_parsers(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``notifier`` and ``notify``."""
    command = subparsers.add_parser("notifier", help="carry notifications to their channels")
    command.set_defaults(run=run)
    command = subparsers.add_parser("notify", help="send a test message to a channel")
    command.add_argument("--test", required=True, choices=list(ADDRESS_SETTINGS), metavar="CHANNEL")
    command.set_defaults(run=test)


def run(_: argparse.Namespace) -> int:
    """Deliver until a signal comes; raises SettingsError."""
    settings = NotifierSettings.from_env(os.environ)
    logs.configure(settings.logs, "notifier")
    connect = partial(postgres.connect, settings.postgres)
    notifier = Notifier(connect, build(settings.channels))
    closing = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: closing.set())
    serve_health(settings.health_port, notifier)
    serve_metrics(settings.metrics_port, connect)
    notifier.start()
    logger.info("telling %s", ", ".join(settings.channels.names) or "nobody: no channel is set")
    closing.wait()
    notifier.end(FAREWELL_S)
    return 0


def test(arguments: argparse.Namespace) -> int:
    """Send one message past the outbox and print the vendor's answer; 1 unless it was taken."""
    settings = ChannelSettings.from_env(os.environ)
    channels = {channel.name: channel for channel in build(settings)}
    if arguments.test not in channels:
        raise SettingsError(
            f"{arguments.test} is no channel in use; set {ADDRESS_SETTINGS[arguments.test]}"
            " and see NOTIFY_CHANNELS"
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


def serve_metrics(port: int, connect: postgres.Connect) -> None:
    """Serve /metrics in the background."""

    def read() -> list[outbox.OutboxCounts]:
        with connect() as connection:
            return outbox.read_counts(connection)

    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(OutboxCollector(read))
    start_http_server(port, registry=registry)


def serve_health(port: int, notifier: Notifier) -> None:
    """Serve /health and /ready in the background, in the form of the Locust containers."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/health":
                self._answer(notifier.turns, {"status": "ok" if notifier.turns else "hangs"})
            elif self.path == "/ready":
                self._answer(not notifier.away, {"ready": not notifier.away})
            else:
                self.send_error(404)

        def _answer(self, well: bool, body: dict[str, Any]) -> None:
            raw = json.dumps(body).encode() + b"\n"
            self.send_response(200 if well else 503)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("0.0.0.0", port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
