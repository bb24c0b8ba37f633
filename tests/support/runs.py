"""Runs of a fleet whose users say when they end, and what Postgres holds of runs."""

import contextlib
import signal
import time
from typing import Any

import psycopg

from tests.support.fleet import Fleet
from tests.support.waiting import wait_until

# A user says when it ends, so nobody can miss that one was stopped.
SHOPPERS = """
from locust import HttpUser, constant, task

class Shopper(HttpUser):
    wait_time = constant(0.05)

    @task
    def products(self):
        self.client.get("/products")

    def on_stop(self):
        print("a user stopped", flush=True)
"""


def recorded(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT coalesce(sum(requests), 0) FROM run_samples").fetchone()
    assert row is not None
    return int(row[0])


def runs(connection: psycopg.Connection) -> list[tuple[str, str]]:
    return connection.execute("SELECT id, state FROM runs ORDER BY id").fetchall()


def wait_for_end(connection: psycopg.Connection, state: str) -> None:
    wait_until(
        lambda: [known for _, known in runs(connection)] == [state], f"the run closed as {state}"
    )


def kill_and_restart(fleet: Fleet) -> float:
    """Kill the master and start it as the engine would; returns the seconds until it goes on."""
    fleet.end("master", signal.SIGKILL)
    began = time.monotonic()
    fleet.start_master()
    wait_until(fleet.has_resumed, "the run going on")
    return time.monotonic() - began


def stopped_users(fleet: Fleet, *workers: str) -> int:
    return sum(fleet.log(worker).count("a user stopped") for worker in workers)


def ignoring_errors(function: Any) -> None:
    with contextlib.suppress(OSError):
        function()
