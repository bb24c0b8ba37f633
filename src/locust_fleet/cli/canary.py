"""Judge a worker that joined a run, before an old one leaves for it. Pure; master_commands.py asks.

A worker is fit once it has its share of the users, the other workers have theirs, and its first
requests fail no more often than those of the others. Only what the others do in the same time
counts, so that a worker is not blamed for a target that fails.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

ACTIVE = ("spawning", "running")
# This part of its share is enough, because some users are moving at any moment.
ENOUGH_OF_SHARE = 0.9
# How many requests are judged; fewer if a worker makes fewer in this time with all its users.
FIRST_REQUESTS = 20
FIRST_REQUESTS_TIMEOUT_S = 10.0
# How much higher than that of the others the share of failures may be: a fixed share, and as many
# standard deviations as chance hardly exceeds. A single failure is never too much.
MORE_FAILURES = 0.1
DEVIATIONS = 3
FEWEST_FAILURES = 2
# How long a worker may take to appear at the master, and to get further on the way to its share.
PROGRESS_TIMEOUT_S = 90.0


class CanaryVerdict(Enum):
    """What is known of a new worker."""

    WAIT = "wait"
    FIT = "fit"
    UNFIT = "unfit"


@dataclass
class RequestCounts:
    """Requests and failures of some workers."""

    requests: int = 0
    failures: int = 0

    @property
    def failure_ratio(self) -> float:
        return self.failures / self.requests if self.requests else 0.0

    def since(self, before: RequestCounts) -> RequestCounts:
        """Return what came after ``before``; everything if a new master counts from zero."""
        if self.requests < before.requests:
            return self
        return RequestCounts(
            self.requests - before.requests, max(0, self.failures - before.failures)
        )


class Canary:
    """A new worker, judged by one status of the master after another.

    The id of the worker begins with ``host``. Times are in seconds, of one clock.
    """

    def __init__(self, host: str) -> None:
        self._host = host
        self._others_at_first: RequestCounts | None = None
        self._has_share_since: float | None = None
        self._last_progress: object = None
        self._progress_at: float | None = None
        self.reason = "the master has not been asked yet"

    def judge(self, status: Mapping[str, Any] | None, now: float) -> CanaryVerdict:
        """Return the verdict after an answer to GET /fleet/run, and explain it in ``reason``.

        The status is None when the master did not answer.
        """
        if self._progress_at is None:
            self._progress_at = now
        if status is None:
            verdict = self._wait("the master does not answer")
        else:
            verdict = self._judge(status, now)
        if verdict is CanaryVerdict.WAIT and now - self._progress_at > PROGRESS_TIMEOUT_S:
            return CanaryVerdict.UNFIT
        return verdict

    def _judge(self, status: Mapping[str, Any], now: float) -> CanaryVerdict:
        workers = status["worker_list"]
        mine = [each for each in workers if each["id"].startswith(f"{self._host}_")]
        others = [each for each in workers if each not in mine]
        self._note_progress((len(workers), status["users"], *(each["users"] for each in mine)), now)
        if not mine or mine[0]["state"] == "missing":
            return self._wait("it does not appear at the master")
        [me] = mine
        if status["state"] not in ACTIVE:
            return self._fit("it is ready; no run is active")
        own, of_others = _counts([me]), _counts(others)
        if self._others_at_first is None:
            self._others_at_first = of_others
        meanwhile = of_others.since(self._others_at_first)
        if self._fails_more(own, meanwhile if meanwhile.requests else of_others):
            return CanaryVerdict.UNFIT
        if missing := _missing_users(me, status):
            self._has_share_since = None
            return self._wait(missing)
        if self._has_share_since is None:
            self._has_share_since = now
        # Workers report every few seconds, so a count of 0 may only mean that no report came yet.
        waited_s = now - self._has_share_since
        if own.requests < FIRST_REQUESTS and waited_s < FIRST_REQUESTS_TIMEOUT_S:
            return self._wait(f"{me['users']} users, {own.requests} requests so far")
        if not own.requests and _expected_requests(me, others, meanwhile) >= FIRST_REQUESTS:
            self.reason = f"its {me['users']} users make no requests, those of the others do"
            return CanaryVerdict.UNFIT
        return self._fit(
            f"{me['users']} users; {own.failures} of its first {own.requests} requests failed"
        )

    def _fails_more(self, own: RequestCounts, others: RequestCounts) -> bool:
        if own.failures < FEWEST_FAILURES:
            return False
        if own.failure_ratio <= allowed_failure_ratio(others.failure_ratio, own.requests):
            return False
        self.reason = (
            f"{own.failures} of its {own.requests} requests failed,"
            f" of the others' {others.failures} of {others.requests}"
        )
        return True

    def _note_progress(self, progress: object, now: float) -> None:
        if progress != self._last_progress or self._has_share_since is not None:
            self._last_progress, self._progress_at = progress, now

    def _wait(self, reason: str) -> CanaryVerdict:
        self.reason = reason
        return CanaryVerdict.WAIT

    def _fit(self, reason: str) -> CanaryVerdict:
        self.reason = reason
        return CanaryVerdict.FIT


def allowed_failure_ratio(others: float, requests: int) -> float:
    """Return the share of ``requests`` that may fail; ``others`` is that of the other workers.

    The standard deviation is that of a binomial distribution: sqrt(p * (1 - p) / n).
    """
    chance = math.sqrt(others * (1 - others) / requests)
    return others + MORE_FAILURES + DEVIATIONS * chance


def _missing_users(me: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    """Return which users are not yet where they are planned, "" when all are."""
    planned = sum(each["planned"] for each in status["worker_list"])
    users = status["users"]
    if status["state"] == "running" and users < planned:
        return f"{users} of {planned} users run"
    # In a ramp-up, the share of the users that run already.
    started = min(1.0, users / planned) if planned else 0.0
    share = math.floor(me["planned"] * started * ENOUGH_OF_SHARE)
    return f"it has {me['users']} users of about {share}" if me["users"] < share else ""


def _expected_requests(
    me: Mapping[str, Any], others: list[Mapping[str, Any]], of_others: RequestCounts
) -> float:
    """Return how many requests its users would have made at the rate of the others' users."""
    users = sum(each["users"] for each in others)
    return of_others.requests * float(me["users"]) / users if users else 0.0


def _counts(workers: list[Mapping[str, Any]]) -> RequestCounts:
    return RequestCounts(
        sum(each["requests"] for each in workers), sum(each["failures"] for each in workers)
    )
