"""``locust-fleet run-state``, ``try-worker`` and ``stop-run``: ask the master, without the console.

Scripts run them in the container of a master; a standby asks the leader.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import urllib.error
import urllib.request
from typing import Any

from locust_fleet.errors import FleetError
from locust_fleet.policy.timeouts import CLIENT_STOP_TIMEOUT_S
from locust_fleet.runtime.front_secret import SECRET_HEADER
from locust_fleet.settings.commands import front_secret

READY_URL = "http://127.0.0.1:8080/ready"
READY_TIMEOUT_S = 3.0
WEB_PORT = 8089
STATUS_TIMEOUT_S = 10.0
STATUS_INTERVAL_S = 0.5
# The exit code for a worker that failed its test, unlike 1: the test could not be made.
# scripts/lib/handover.sh knows it.
UNFIT = 3


def add_parsers(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``run-state``, ``try-worker`` and ``stop-run``."""
    command = subparsers.add_parser("run-state", help="print the state of the run as JSON")
    command.set_defaults(run=run_state)

    command = subparsers.add_parser(
        "try-worker", help="wait until a new worker carries its share of the load; 3 if it is unfit"
    )
    command.add_argument("host", help="the host name of the worker")
    command.set_defaults(run=try_worker)

    command = subparsers.add_parser("stop-run", help="stop the run; needs only the master")
    command.set_defaults(run=stop_run)


def run_state(_: argparse.Namespace) -> int:
    """Print the answer of the master to GET /fleet/run."""
    print(json.dumps(ask_master("/fleet/run", None, STATUS_TIMEOUT_S)))
    return 0


def try_worker(arguments: argparse.Namespace) -> int:
    """Watch a new worker until there is a verdict, and print the reason."""
    from locust_fleet.cli.canary import Canary, CanaryVerdict

    canary = Canary(arguments.host)
    while True:
        try:
            status = ask_master("/fleet/run", None, STATUS_TIMEOUT_S)
        except FleetError:
            status = None
        verdict = canary.judge(status, time.monotonic())
        if verdict is not CanaryVerdict.WAIT:
            print(canary.reason)
            return 0 if verdict is CanaryVerdict.FIT else UNFIT
        time.sleep(STATUS_INTERVAL_S)


def stop_run(_: argparse.Namespace) -> int:
    """Stop the active run, if there is one; returns when its users have stopped."""
    status = ask_master("/fleet/run", None, STATUS_TIMEOUT_S)
    if status["state"] not in ("spawning", "running", "stopping"):
        print("no run is active")
        return 0
    ask_master("/stop", b"", CLIENT_STOP_TIMEOUT_S)
    print(f"stopped {status['run']['id'] if status['run'] else 'the run'}")
    return 0


def ask_master(path: str, body: bytes | None, timeout_s: float) -> dict[str, Any]:
    """Return the JSON of the master in this container, or of the leader it stands by for.

    A ``body`` makes it a POST. Raises FleetError when the master does not answer.
    """
    url = f"http://{_leader_host()}:{WEB_PORT}"
    request = urllib.request.Request(url + path, data=body)
    request.add_header(SECRET_HEADER, front_secret(os.environ))
    request.add_header("X-Fleet-User", "scripts/stop_run.sh")
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:
            return dict(json.load(answer))
    except (OSError, ValueError) as error:
        raise FleetError(f"the master does not answer at {url}: {error}") from error


def _leader_host() -> str:
    try:
        with urllib.request.urlopen(READY_URL, timeout=READY_TIMEOUT_S) as answer:
            leader = json.load(answer).get("leader")
    except (OSError, ValueError):
        leader = None
    return leader.rpartition(":")[0] if leader else "127.0.0.1"
