"""Use the stack once as a person would: sign in through the front, look at the workers.

A throw-away account does it, so that it works whatever became of the first admin's password.
Nothing but the standard library speaks to the front.
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
    """The stack does not do what a person would try first; the message says which step."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``smoke-test``."""
    parser = subparsers.add_parser("smoke-test", help="sign in and see the workers, as a person")
    parser.add_argument("--url", default=api_client.URL, help="where the front is")
    parser.add_argument("--workers", type=int, required=True, help="how many to expect")
    parser.add_argument("--timeout", type=float, default=60, help="seconds in all")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Return 0 when everything answered as it should.

    Raises SmokeTestFailed with the last reason once the time is up.
    """
    deadline = time.monotonic() + arguments.timeout
    while True:
        try:
            workers = _workers_seen(arguments.url)
            if workers >= arguments.workers:
                print(f"signed in and saw {workers} workers")
                return 0
            reason = f"{workers} of {arguments.workers} workers are connected"
        except (OSError, ValueError, KeyError) as error:
            reason = f"{type(error).__name__}: {error}"
        if time.monotonic() > deadline:
            raise SmokeTestFailed(f"the front at {arguments.url} did not pass: {reason}")
        print(f"not yet: {reason}", file=sys.stderr)
        time.sleep(RETRY_S)


def _workers_seen(url: str) -> int:
    """Sign in as a viewer of our own, and count the workers that the API lists."""
    name, password = NAME_PREFIX + secrets.token_hex(4), secrets.token_urlsafe(24)
    with postgres.connect(PostgresSettings.from_env(os.environ)) as connection:
        # Of a smoke test that was interrupted.
        connection.execute("DELETE FROM accounts WHERE name LIKE %s", (NAME_PREFIX + "%",))
        accounts.add(connection, name, hash_password(password), Role.VIEWER)
        try:
            browser = api_client.opener()
            _sign_in(browser, url, name, password)
            return int(_ask(browser, f"{url}/api/v1/run")["workers"])
        finally:
            accounts.remove(connection, name)


def _sign_in(browser: urllib.request.OpenerDirector, url: str, name: str, password: str) -> None:
    form = urllib.parse.urlencode({"name": name, "password": password}).encode()
    request = urllib.request.Request(f"{url}/console/sign-in", data=form, headers={"Origin": url})
    with browser.open(request, timeout=api_client.ANSWER_TIMEOUT_S):
        pass


def _ask(browser: urllib.request.OpenerDirector, url: str) -> dict[str, Any]:
    with browser.open(url, timeout=api_client.ANSWER_TIMEOUT_S) as answer:
        return dict(json.load(answer))
