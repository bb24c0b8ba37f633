"""``locust-fleet run-test``: start a run through the API, watch it and judge it."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from locust_fleet.cli import api_client
from locust_fleet.cli.api_client import ApiClient, RefusedError
from locust_fleet.console.access import tokens
from locust_fleet.console.access.roles import Role
from locust_fleet.errors import FleetError, StoreUnavailable
from locust_fleet.policy.alert_thresholds import parse_threshold
from locust_fleet.runtime import postgres
from locust_fleet.settings.commands import api_token
from locust_fleet.settings.stores import PostgresSettings

GOOD, FAILED, BAD_ARGUMENTS, INFRASTRUCTURE, INTERRUPTED = 0, 1, 2, 4, 130
STATUS_INTERVAL_S = 1.0
PROGRESS_INTERVAL_S = 5.0
# How long the API may be away during a run.
API_TIMEOUT_S = 120.0
# How long the results may take to reach the database after the end of a run.
RESULTS_TIMEOUT_S = 120.0
TOKEN_LIFE = timedelta(days=7)
# What the errors of Locust's HTTP clients contain when the target cannot be reached.
UNREACHABLE = (
    "ConnectionError",
    "ConnectionRefused",
    "NameResolution",
    "gaierror",
    "ConnectTimeout",
)
FAILURES_SHOWN = 3
COLUMNS = ("requests", "failures", "average_ms", "p50_ms", "p95_ms", "p99_ms", "max_ms")

Run = Mapping[str, Any]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``run-test``."""
    parser = subparsers.add_parser("run-test", help="run one test and judge it")
    parser.add_argument("--users", type=int, required=True)
    parser.add_argument("--spawn-rate", type=float, required=True)
    parser.add_argument("--run-time", required=True)
    parser.add_argument("--host")
    parser.add_argument("--name", default="")
    parser.add_argument("--alert", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--max-failure-ratio", type=float, default=0.0)
    parser.add_argument("--follow", metavar="RUN", help="follow this run instead of starting one")
    parser.add_argument("--terminal", action="store_true", help="show progress on one line")
    parser.add_argument("--url", default=api_client.URL)
    parser.set_defaults(run=main)


def main(arguments: argparse.Namespace) -> int:
    """Run the test; prints the id of the run on stdout, progress and the verdict on stderr.

    Returns 0 good, 1 too many failures, 2 bad arguments, 4 infrastructure, 130 interrupted.
    """
    try:
        arguments.alerts = dict(parse_threshold(text) for text in arguments.alert)
    except ValueError as error:
        say(f"--alert: {error}")
        return BAD_ARGUMENTS
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with api_of(arguments.url) as api:
            return run_test(api, arguments)
    except RefusedError as refusal:
        say(str(refusal))
        return BAD_ARGUMENTS if refusal.status in (403, 422) else INFRASTRUCTURE
    except (FleetError, OSError) as error:
        say(f"the stack does not answer: {error}; look at docker compose ps")
        return INFRASTRUCTURE


def run_test(api: ApiClient, arguments: argparse.Namespace) -> int:
    """Start, follow and judge a run, and return the exit code; Ctrl-C stops the run."""
    run_id = arguments.follow or start(api, arguments)
    print(run_id, flush=True)
    try:
        follow(api, run_id, in_place=arguments.terminal)
    except KeyboardInterrupt:
        say("interrupted: stopping the run")
        api.post(f"/api/v1/runs/{run_id}/stop", {})
        return INTERRUPTED
    run = result(api, run_id)
    say(table(run))
    for line in worst_failures(run):
        say(line)
    for row in run["arrivals"]:
        if row["dropped"]:
            say("dropped {dropped} of {arrivals} iterations of {user_class}".format(**row))
    code, verdict = judge(run, arguments.max_failure_ratio)
    say(verdict)
    return code


def start(api: ApiClient, arguments: argparse.Namespace) -> str:
    """Start a run and return its id; raises as ``ApiClient.post`` does."""
    body = {
        "users": arguments.users,
        "spawn_rate": arguments.spawn_rate,
        "run_time": arguments.run_time,
        "name": arguments.name,
        "alerts": arguments.alerts,
    }
    if arguments.host:
        body["host"] = arguments.host
    run_id = str(api.post("/api/v1/runs", body)["id"])
    say(f"run {run_id} started")
    return run_id


def follow(api: ApiClient, run_id: str, *, in_place: bool) -> None:
    """Show progress and problems until the run has ended; FleetError when the API stays away."""
    shown = answered = time.monotonic()
    told: set[str] = set()
    while True:
        time.sleep(STATUS_INTERVAL_S)
        now = time.monotonic()
        try:
            state = api.get("/api/v1/run")
        except (OSError, RefusedError) as error:
            if now - answered > API_TIMEOUT_S:
                raise FleetError(f"no answer for {API_TIMEOUT_S:g} s: {error}") from error
            continue
        answered = now
        run = state["run"]
        if not run or run["id"] != run_id or run["state"] != "running":
            break
        if in_place or now - shown >= PROGRESS_INTERVAL_S:
            shown = now
            say(progress(state, age_s(run)), end="\r" if in_place else "\n")
        for problem in state["problems"]:
            if problem not in told:
                told.add(problem)
                say(f"\n{problem}" if in_place else problem)
    if in_place:
        say("")


def result(api: ApiClient, run_id: str) -> Run:
    """Return the ended run once all its requests are in the database.

    Raises FleetError when they do not arrive in time.
    """
    deadline = time.monotonic() + RESULTS_TIMEOUT_S
    while True:
        try:
            run = api.get(f"/api/v1/runs/{run_id}")
            reason = unwritten(run, api.get("/api/v1/run"))
            if reason is None:
                return run
        except (OSError, RefusedError, KeyError) as error:
            reason = str(error)
        if time.monotonic() > deadline:
            raise FleetError(f"the results did not come within {RESULTS_TIMEOUT_S:g} s: {reason}")
        time.sleep(STATUS_INTERVAL_S)


def unwritten(run: Run, state: Run) -> str | None:
    """Return which results are missing, compared with what the master counted; None for none."""
    if run["state"] == "running":
        return f"run {run['id']} is still running"
    written = run["totals"][-1]["requests"] if run["totals"] else 0
    last = state["run"]
    counted = state["totals"]["requests"] if last and last["id"] == run["id"] else written
    return f"{written} of {counted} requests are written" if written < counted else None


def worst_failures(run: Run) -> list[str]:
    """Return a line for each of the most frequent failures."""
    rows = sorted(run["failures"], key=lambda row: -int(row["occurrences"]))[:FAILURES_SHOWN]
    return [
        f"{row['occurrences']} x {row['method']} {row['name']}: {row['error'][:200]}"
        for row in rows
    ]


def judge(run: Run, max_failure_ratio: float) -> tuple[int, str]:
    """Return the exit code of an ended run, and why."""
    total = run["totals"][-1] if run["totals"] else {"requests": 0, "failures": 0}
    requests, failures = total["requests"], total["failures"]
    if run["state"] != "finished":
        return INFRASTRUCTURE, f"not judged: the run ended as {run['state']}, before its time"
    if not requests:
        return INFRASTRUCTURE, "not judged: no request was made"
    if failures == requests and all(_unreachable(row["error"]) for row in run["failures"]):
        return INFRASTRUCTURE, f"not judged: the target {run['host']} could not be reached"
    ratio = failures / requests
    if ratio > max_failure_ratio:
        return FAILED, (
            f"failed: {failures} of {requests} requests failed"
            f" ({ratio:.2%}; the limit is {max_failure_ratio:.2%})"
        )
    return GOOD, f"good: {requests} requests, {failures} failures"


def progress(state: Run, elapsed_s: float) -> str:
    """Return a line about an active run."""
    totals, users = state["totals"], str(state["users"])
    if state["users"] != state["target_users"]:
        users += f" of {state['target_users']}"
    p95 = "-" if totals["p95_ms"] is None else f"{totals['p95_ms']:g} ms"
    return (
        f"{elapsed_s:5.0f} s  {users} users  {totals['requests']} requests"
        f"  {totals['requests_per_second']:.1f}/s  {totals['failures']} failures  p95 {p95}   "
    )


def age_s(run: Run) -> float:
    """Return the seconds since a run started."""
    return (datetime.now(UTC) - datetime.fromisoformat(run["started_at"])).total_seconds()


def table(run: Run) -> str:
    """Return the totals as a table with a line per endpoint."""
    rows = [("", "endpoint", *(column.removesuffix("_ms") for column in COLUMNS), "req/s")]
    rows += [
        (
            row["method"],
            row["name"],
            *(_number(row[column]) for column in COLUMNS),
            _number(row["requests_per_second"]),
        )
        for row in run["totals"]
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        left = [cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True)]
        right = [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
        lines.append("  ".join(left + right).rstrip())
    return "\n".join(["response times in milliseconds", *lines])


@contextmanager
def api_of(url: str) -> Iterator[ApiClient]:
    """Yield the API with the caller's FLEET_TOKEN, or with a token that is deleted at the end."""
    if given := api_token(os.environ):
        yield ApiClient(url, given)
        return
    settings = PostgresSettings.from_env(os.environ)
    with postgres.connect(settings) as connection:
        token = tokens.create(connection, "run_test", Role.OPERATOR, TOKEN_LIFE, "run_test.sh")
    try:
        yield ApiClient(url, token)
    finally:
        _delete_token(settings, token)


def say(text: str, end: str = "\n") -> None:
    """Print to stderr, because stdout is for the result."""
    print(text, file=sys.stderr, end=end, flush=True)


def _delete_token(settings: PostgresSettings, token: str) -> None:
    try:
        with postgres.connect(settings) as connection:
            tokens.delete(connection, token)
    except StoreUnavailable as error:
        say(f"the token of this run stays valid until it expires: {error}")


def _unreachable(error: str) -> bool:
    return any(name in error for name in UNREACHABLE)


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.1f}".removesuffix(".0")
