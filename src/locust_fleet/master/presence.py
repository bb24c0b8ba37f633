"""Know which workers are there.

Locust 2.47.0 (``MasterRunner.handle_message``) takes nothing but a heartbeat for a sign of life,
so a busy worker counts as missing while its reports arrive. And it ignores the heartbeats of
workers that it does not know, because it started after them; a worker says only once that it is
ready. Such a worker is told to quit instead; the engine starts it again at once.
"""

from __future__ import annotations

from locust import runners
from locust.rpc import Message
from locust.runners import MasterRunner

import logging
from collections import Counter

from locust_fleet.master.attendance import Attendance
from locust_fleet.seams import replace

# One stray heartbeat may overtake a worker's own goodbye.
PATIENCE_BEATS = 2

logger = logging.getLogger(__name__)


def know_workers(runner: MasterRunner, attendance: Attendance) -> None:
    """From now on, every message is a sign of life, and unknown workers start anew."""
    handle = runner.handle_message
    beats: Counter[str] = Counter()

    def handle_message(client_id: str, message: Message) -> None:
        attendance.hear(message.node_id, message.type)
        worker = runner.clients.get(message.node_id)
        if worker is not None:
            worker.heartbeat = runners.HEARTBEAT_LIVENESS
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
