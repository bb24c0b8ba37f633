"""Stop this worker's users, at the end of a run or of the process, without losing a count.

Locust 2.47.0 does not (``WorkerRunner.handle_message``, ``main.shutdown``):

- On SIGTERM a worker sends no last report, and a spawn message that arrives meanwhile starts users
  again.
- After a stop it reports up to three seconds later, when the master has closed the run already, and
  sleeps for the whole stop timeout before it is ready again, although its users are gone.
- While its users stop it handles no message, not even a new leader's question what it runs. And it
  ignores spawn messages of a leader whose clock is behind that of the previous one.
"""

from __future__ import annotations

from locust import __version__
from locust.rpc import Message
from locust.runners import STATE_INIT, STATE_RUNNING, STATE_SPAWNING, WorkerRunner

from collections.abc import Callable

import gevent

from locust_fleet.protocol.message_stages import Forward
from locust_fleet.protocol.messages import ACKNOWLEDGED, ARRIVALS, LEAVING, RESEND, WHO
from locust_fleet.worker.resend_buffer import ResendBuffer

# Messages that do not affect the users, so they need not wait until the users have stopped.
WHILE_STOPPING = ("heartbeat", "ack", WHO, ACKNOWLEDGED, RESEND, ARRIVALS)


class Drain:
    """Stops the users, sends their last report, and then confirms that they have stopped."""

    def __init__(
        self,
        runner: WorkerRunner,
        resend_buffer: ResendBuffer,
        hand_over: Callable[[], None] = lambda: None,
    ) -> None:
        """``hand_over`` returns when other workers have this one's arrivals."""
        self._runner = runner
        self._resend_buffer = resend_buffer
        self._hand_over = hand_over
        self._draining = False
        self._stopping: gevent.Greenlet[..., None] = gevent.Greenlet()

    @property
    def draining(self) -> bool:
        """Whether this worker is leaving."""
        return self._draining

    def stop_run(self) -> None:
        """Stop the users, report, and become ready for the next run; returns at once."""
        if not self._stopping:
            self._stopping = gevent.spawn(self._stop)

    def drain(self) -> None:
        """Stop the users, and wait until the leader has every report; before this worker quits."""
        self._draining = True
        self._runner.send_message(LEAVING)
        self._hand_over()
        if self._runner.worker_state in (STATE_RUNNING, STATE_SPAWNING):
            self._runner.stop()
        self._resend_buffer.flush()

    def handle(self, message: Message, forward: Forward) -> None:
        """Carry out a stop; forward what affects users once they have stopped. A stage."""
        if message.type == "stop":
            self.stop_run()
            return
        if self._stopping and message.type not in WHILE_STOPPING:
            self._stopping.join()
        if message.type == "spawn":
            if self._draining:
                return
            # A leader that asks now gets the users that will run, before they have started.
            self._runner.target_user_classes_count = message.data["user_classes_count"]
            # This leader's clock may be behind that of the previous one.
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
