"""Leave a run, or end one, without losing a count.

Locust 2.47.0 does neither (``WorkerRunner.handle_message``, ``main.shutdown``):

- On SIGTERM a worker sends no last report, and a message to spawn users that arrives while it
  leaves starts them again.
- After Stop it reports up to three seconds later, when the master has closed the run already,
  and sleeps for the whole stop timeout before it is ready again, though its users are gone.
- While its users stop it hears nothing, not even a new leader that asks what it has; and it does
  not start users for one whose clock is behind that of the leader before.
"""

from __future__ import annotations

from locust import __version__
from locust.rpc import Message
from locust.runners import STATE_INIT, STATE_RUNNING, STATE_SPAWNING, WorkerRunner

from collections.abc import Callable

import gevent

from locust_fleet.protocol.messages import ACKNOWLEDGED, ARRIVALS, LEAVING, RESEND, WHO
from locust_fleet.protocol.stages import Forward
from locust_fleet.worker.resend_buffer import ResendBuffer

# What does not touch the users, so that it need not wait until they have stopped.
WHILE_STOPPING = ("heartbeat", "ack", WHO, ACKNOWLEDGED, RESEND, ARRIVALS)


class Drain:
    """How a worker stops its users: report first, and then say so."""

    def __init__(
        self,
        runner: WorkerRunner,
        resend_buffer: ResendBuffer,
        hand_over: Callable[[], None] = lambda: None,
    ) -> None:
        """``hand_over`` returns when others do what this worker's users have done."""
        self._runner = runner
        self._resend_buffer = resend_buffer
        self._hand_over = hand_over
        self._draining = False
        self._stopping: gevent.Greenlet[..., None] = gevent.Greenlet()

    @property
    def draining(self) -> bool:
        """Whether this worker has begun to leave."""
        return self._draining

    def stop_run(self) -> None:
        """End the run here: stop the users, report, and be ready for the next one."""
        if not self._stopping:
            self._stopping = gevent.spawn(self._stop)

    def drain(self) -> None:
        """Stop the users and report, before the master hears a goodbye."""
        self._draining = True
        self._runner.send_message(LEAVING)
        self._hand_over()
        if self._runner.worker_state in (STATE_RUNNING, STATE_SPAWNING):
            self._runner.stop()
        self._resend_buffer.flush()

    def handle(self, message: Message, forward: Forward) -> None:
        """Carry out a stop; forward the rest once the users have stopped, where it touches them."""
        if message.type == "stop":
            self.stop_run()
            return
        if self._stopping and message.type not in WHILE_STOPPING:
            self._stopping.join()
        if message.type == "spawn":
            if self._draining:
                return
            # Whoever asks now is told what will be, though the users are still to start.
            self._runner.target_user_classes_count = message.data["user_classes_count"]
            # The clock of this leader may be behind that of the one before.
            self._runner.last_received_spawn_timestamp = 0
        forward(message)

    def _stop(self) -> None:
        runner = self._runner
        if runner.worker_state in (STATE_RUNNING, STATE_SPAWNING):
            runner.stop()
        runner.client.send(Message("client_stopped", self._resend_buffer.last(), runner.client_id))
        if not self._draining:
            runner.client.send(Message("client_ready", __version__, runner.client_id))
            runner.worker_state = STATE_INIT
