"""Know the connected workers, and take over those of the previous leader.

Locust 2.47.0 (``MasterRunner.handle_message``) accepts only heartbeats as a sign of life, so a busy
worker counts as missing while its reports arrive. A worker says only once that it is ready; so a
master that starts later ignores its heartbeats, and sends it away if it is just starting users.
Here the master asks such a worker what it runs, and takes it over.
"""

from __future__ import annotations

from locust import runners
from locust.rpc import Message
from locust.runners import STATE_RUNNING, STATE_SPAWNING, MasterRunner, WorkerNode

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from locust_fleet.master.workers.roster import Roster
from locust_fleet.protocol.message_stages import Forward
from locust_fleet.protocol.messages import HERE, RUN, WHO

# The messages of an unknown worker that show it is at work.
SIGNS_OF_LIFE = ("heartbeat", "spawning", "spawning_complete")
ASK_EVERY_S = 0.5

logger = logging.getLogger(__name__)


class WorkerRegistry:
    """Takes each message for a sign of life, and takes over workers that it does not know."""

    def __init__(
        self,
        runner: MasterRunner,
        roster: Roster,
        active_run: Callable[[], str | None],
        request_reports: Callable[[str], None],
        send_settings: Callable[[str], None],
    ) -> None:
        self._runner = runner
        self._roster = roster
        self._active_run = active_run
        self._request_reports = request_reports
        self._send_settings = send_settings
        self._asked: dict[str, float] = {}
        self.users: dict[str, Mapping[str, int]] = {}

    def attach(self) -> None:
        """Start to take over workers, by their answers."""
        self._runner.register_message(HERE, self._take_over)

    def handle(self, message: Message, forward: Forward) -> None:
        """Take a message for a sign of life; ask an unknown worker what it runs. A stage."""
        self._roster.note_message(message.node_id, message.type)
        worker = self._runner.clients.get(message.node_id)
        if worker is not None:
            worker.heartbeat = runners.HEARTBEAT_LIVENESS
        elif message.type in SIGNS_OF_LIFE:
            self._ask_who(message.node_id)
            return
        forward(message)

    def _ask_who(self, worker: str) -> None:
        now = time.monotonic()
        if now - self._asked.get(worker, 0.0) >= ASK_EVERY_S:
            self._asked[worker] = now
            self._runner.server.send_to_client(Message(WHO, None, worker))

    def _take_over(self, msg: Any, **_: Any) -> None:
        runner, worker, answer = self._runner, msg.node_id, msg.data
        self._asked.pop(worker, None)
        # While its run is closing, the stop makes it confirm that all is reported, even without
        # users.
        if not self._goes_on(answer[RUN]) and (
            answer["users"] or answer[RUN] == self._active_run()
        ):
            if answer["users"]:
                logger.warning(
                    "worker %s still has users of a run that has ended; the master stops it", worker
                )
            runner.server.send_to_client(Message("stop", None, worker))
        if worker in runner.clients:
            # It was disconnected for a moment, and missed what was sent meanwhile.
            runner.clients[worker].user_classes_count = answer["user_classes_count"]
            self._request_reports(worker)
            self._send_settings(worker)
            return
        node = WorkerNode(worker, answer["state"], runners.HEARTBEAT_LIVENESS)
        node.user_classes_count = answer["user_classes_count"]
        self.users[worker] = answer["users"]
        runner.clients[worker] = node
        index = {"index": runner.get_worker_index(worker)}
        runner.send_message("ack", client_id=worker, data=index)
        runner.environment.events.worker_connect.fire(client_id=worker)
        users = sum(node.user_classes_count.values())
        logger.info("the master takes over worker %s with %d users", worker, users)
        self._request_reports(worker)

    def _goes_on(self, run: str | None) -> bool:
        """Whether a run continues, so that its users do, too."""
        going_on = self._runner.state in (STATE_SPAWNING, STATE_RUNNING)
        return going_on and run == self._active_run()
