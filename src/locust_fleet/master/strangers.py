"""Bring workers back that this master does not know, because it started after them.

Locust 2.47.0 ignores their heartbeats (``MasterRunner.handle_message``), and a worker says
that it is ready only once. It is told to quit instead; the engine starts it again at once.
"""

from __future__ import annotations

from locust.rpc import Message
from locust.runners import MasterRunner

import logging
from collections import Counter

from locust_fleet.seams import replace

# One stray heartbeat may overtake a worker's own goodbye.
PATIENCE_BEATS = 2

logger = logging.getLogger(__name__)


def send_strangers_home(runner: MasterRunner) -> None:
    """From now on, tell every unknown worker that keeps sending heartbeats to start anew."""
    handle = runner.handle_message
    beats: Counter[str] = Counter()

    def handle_message(client_id: str, message: Message) -> None:
        handle(client_id, message)
        if message.type != "heartbeat":
            return
        if message.node_id in runner.clients:
            beats.pop(message.node_id, None)
            return
        beats[message.node_id] += 1
        if beats[message.node_id] >= PATIENCE_BEATS:
            del beats[message.node_id]
            logger.info("worker %s is of an earlier master; it starts anew", message.node_id)
            runner.server.send_to_client(Message("quit", None, message.node_id))

    replace(runner, "handle_message", handle_message)
