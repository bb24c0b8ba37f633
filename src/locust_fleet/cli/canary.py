"""Judge a worker that joined a run, before another one leaves for it. Pure; main.py looks.

It passes once it has its part of the users, the others have theirs, and its first requests fail no
more than those of the others. What it is compared with is what the others do in the same time, so
that a target that fails is not held against it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

ACTIVE = ("spawning", "running")
# A part is there when so much of it is: users that move are on the way.
NEARLY = 0.9
# Its first requests: so many, or as many as it makes in so long.
FIRST_REQUESTS = 20
FIRST_S = 10.0
# Failures beyond those of the others: so large a share more than chance explains is none.
MORE_FAILURES = 0.1
DEVIATIONS = 3
FEWEST_FAILURES = 2
# How long nothing may change while a part is missing, and how long a worker may take to appear.
PATIENCE_S = 90.0


class CanaryVerdict(Enum):
    """What is known of a new worker."""

    WAIT = "wait"
    FIT = "fit"
    UNFIT = "unfit"


@dataclass
class Work:
    """Requests and failures of some workers."""

    requests: int = 0
    failures: int = 0

    @property
    def ratio(self) -> float:
        return self.failures / self.requests if self.requests else 0.0

    def since(self, before: Work) -> Work:
        """Return what came after; everything, when another master counts from zero."""
        if self.requests < before.requests:
            return self
        return Work(self.requests - before.requests, max(0, self.failures - before.failures))


class Canary:
    """How a worker does, told from one look at the master after another.

    ``host`` is what the worker's id begins with. Times are in seconds, of one clock.
    """

    def __init__(self, host: str) -> None:
        self._host = host
        self._others_before: Work | None = None
        self._whole_since: float | None = None
        self._picture: object = None
        self._changed_at: float | None = None
        self.reason = "the master has not been asked yet"

    def look(self, status: Mapping[str, Any] | None, now: float) -> CanaryVerdict:
        """Take a look at ``/fleet/run``, None when nobody answered; ``reason`` says why."""
        if self._changed_at is None:
            self._changed_at = now
        verdict = self._judge(status, now) if status else self._wait("the master does not answer")
        if verdict is CanaryVerdict.WAIT and now - self._changed_at > PATIENCE_S:
            return CanaryVerdict.UNFIT
        return verdict

    def _judge(self, status: Mapping[str, Any], now: float) -> CanaryVerdict:
        workers = status["worker_list"]
        mine = [each for each in workers if each["id"].startswith(f"{self._host}_")]
        others = [each for each in workers if each not in mine]
        self._notice((len(workers), status["users"], *(each["users"] for each in mine)), now)
        if not mine or mine[0]["state"] == "missing":
            return self._wait("it does not appear at the master")
        [me] = mine
        if status["state"] not in ACTIVE:
            return self._pass("it is ready; no run is active")
        done, theirs = _work([me]), _work(others)
        if self._others_before is None:
            self._others_before = theirs
        compared = theirs.since(self._others_before)
        if verdict := self._fails(done, compared if compared.requests else theirs):
            return verdict
        if missing := _missing(me, status):
            self._whole_since = None
            return self._wait(missing)
        self._whole_since = now if self._whole_since is None else self._whole_since
        # Requests of which nobody knows yet are no requests: workers report every few seconds.
        if done.requests < FIRST_REQUESTS and now - self._whole_since < FIRST_S:
            return self._wait(f"{me['users']} users, {done.requests} requests so far")
        if not done.requests and _expected(me, others, compared) >= FIRST_REQUESTS:
            self.reason = f"its {me['users']} users make no requests, those of the others do"
            return CanaryVerdict.UNFIT
        return self._pass(
            f"{me['users']} users; {done.failures} of its first {done.requests} requests failed"
        )

    def _fails(self, done: Work, others: Work) -> CanaryVerdict | None:
        if done.failures < FEWEST_FAILURES or done.ratio <= allowed(others.ratio, done.requests):
            return None
        self.reason = (
            f"{done.failures} of its {done.requests} requests failed,"
            f" of the others' {others.failures} of {others.requests}"
        )
        return CanaryVerdict.UNFIT

    def _notice(self, picture: object, now: float) -> None:
        if picture != self._picture or self._whole_since is not None:
            self._picture, self._changed_at = picture, now

    def _wait(self, reason: str) -> CanaryVerdict:
        self.reason = reason
        return CanaryVerdict.WAIT

    def _pass(self, reason: str) -> CanaryVerdict:
        self.reason = reason
        return CanaryVerdict.FIT


def allowed(others: float, requests: int) -> float:
    """Return the share of so many requests that may fail when ``others`` is that of the others."""
    chance = math.sqrt(others * (1 - others) / requests)
    return others + MORE_FAILURES + DEVIATIONS * chance


def _missing(me: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    """Say what is missing until users are where they should be; nothing when they are."""
    planned = sum(each["planned"] for each in status["worker_list"])
    users = status["users"]
    if status["state"] == "running" and users < planned:
        return f"{users} of {planned} users run"
    # In a ramp-up, its part of those that run already.
    part = math.floor(me["planned"] * min(1.0, users / planned) * NEARLY) if planned else 0
    return f"it has {me['users']} users of about {part}" if me["users"] < part else ""


def _expected(me: Mapping[str, Any], others: list[Mapping[str, Any]], theirs: Work) -> float:
    """Return how many requests its users would have made like those of the others."""
    users = sum(each["users"] for each in others)
    return theirs.requests * float(me["users"]) / users if users else 0.0


def _work(workers: list[Mapping[str, Any]]) -> Work:
    return Work(
        sum(each["requests"] for each in workers), sum(each["failures"] for each in workers)
    )
