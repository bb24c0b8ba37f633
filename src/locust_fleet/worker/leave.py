"""Leave a run, or end one, without losing a count.

Locust 2.47.0 does neither: on SIGTERM a worker sends no last report, and after Stop it sends
it up to three seconds later, when the master has closed the run already. After Stop it also
sleeps for the whole stop timeout before it is ready again, though its users are gone.
"""

from __future__ import annotations

from locust import __version__
from locust.env import Environment
from locust.rpc import Message
from locust.runners import STATE_INIT, STATE_RUNNING, STATE_SPAWNING, WorkerRunner

from typing import Any

from locust_fleet.seams import replace


def report_before_leaving(environment: Environment, runner: WorkerRunner) -> None:
    """From now on, send what was counted before saying that users stopped or the worker quits."""

    def stop_users(**_: Any) -> None:
        if runner.worker_state in (STATE_RUNNING, STATE_SPAWNING):
            runner.stop()

    def send_last_report(**_: Any) -> None:
        runner._send_stats()

    # Listeners of ``quitting`` are called last to first, so this one before Locust's goodbye.
    environment.events.quitting.add_listener(stop_users)
    environment.events.test_stop.add_listener(send_last_report)


def be_ready_after_stop(runner: WorkerRunner) -> None:
    """From now on, say "ready" as soon as the users have stopped."""
    handle = runner.handle_message

    def handle_message(message: Message) -> None:
        if message.type != "stop":
            handle(message)
            return
        runner.stop()
        runner.client.send(Message("client_stopped", None, runner.client_id))
        runner.client.send(Message("client_ready", __version__, runner.client_id))
        runner.worker_state = STATE_INIT

    replace(runner, "handle_message", handle_message)
