"""``locust-fleet smoke-test``: sign in through nginx as a person would, and count the workers.

It uses an account of its own, because the password of the first admin may have changed.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
import time
import urllib.parse
import urllib.request
from typing import Any

from locust_fleet.cli import api_client
from locust_fleet.console.access import accounts
from locust_fleet.console.access.passwords import hash_password
from locust_fleet.console.access.roles import Role
from locust_fleet.errors import FleetError
from locust_fleet.runtime import postgres
from locust_fleet.settings.stores import PostgresSettings

NAME_PREFIX = "smoke-test-"
RETRY_S = 0.5


class SmokeTestFailed(FleetError):
    """The stack did not answer as it should in time; the message says what was wrong last."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``smoke-test``."""
    parser = subparsers.add_parser(
        "smoke-test", help="sign in as a person would, and count the workers"
    )
    parser.add_argument("--url", default=api_client.URL, help="the address of nginx")
    parser.add_argument("--workers", type=int, required=True, help="how many must be connected")
    parser.add_argument("--timeout", type=float, default=60, help="seconds in all")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Try until the sign-in works and enough workers are connected, then return 0.

    Raises SmokeTestFailed with the last reason when the time is up.
    """
    deadline = time.monotonic() + arguments.timeout
    while True:
        try:
            workers = _count_workers(arguments.url)
            if workers >= arguments.workers:
                print(f"signed in and saw {workers} workers")
                return 0
            reason = f"{workers} of {arguments.workers} workers are connected"
        except (OSError, ValueError, KeyError) as error:
            reason = f"{type(error).__name__}: {error}"
        if time.monotonic() > deadline:
            raise SmokeTestFailed(
                f"the stack at {arguments.url} did not pass the smoke test: {reason}"
            )
        print(f"not yet: {reason}", file=sys.stderr)
        time.sleep(RETRY_S)


def _count_workers(url: str) -> int:
    """Sign in with a new viewer account, and return how many workers the API reports."""
    name, password = NAME_PREFIX + secrets.token_hex(4), secrets.token_urlsafe(24)
    with postgres.connect(PostgresSettings.from_env(os.environ)) as connection:
        # What an interrupted smoke test left behind.
        connection.execute("DELETE FROM accounts WHERE name LIKE %s", (NAME_PREFIX + "%",))
        accounts.add(connection, name, hash_password(password), Role.VIEWER)
        try:
            browser = api_client.opener()
            _sign_in(browser, url, name, password)
            return int(_get(browser, f"{url}/api/v1/run")["workers"])
        finally:
            accounts.remove(connection, name)


def _sign_in(browser: urllib.request.OpenerDirector, url: str, name: str, password: str) -> None:
    form = urllib.parse.urlencode({"name": name, "password": password}).encode()
    request = urllib.request.Request(f"{url}/console/sign-in", data=form, headers={"Origin": url})
    with browser.open(request, timeout=api_client.ANSWER_TIMEOUT_S):
        pass


def _get(browser: urllib.request.OpenerDirector, url: str) -> dict[str, Any]:
    with browser.open(url, timeout=api_client.ANSWER_TIMEOUT_S) as answer:
        return dict(json.load(answer))
