"""Decide whether a run may start or change. Pure: web.py asks for people, gate.py for all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from locust_fleet.master.results.run import Run
from locust_fleet.policy.allowlist import Allowlist, without_credentials
from locust_fleet.policy.limits import FASTEST, MOST_USERS, SLOWEST


@dataclass(frozen=True)
class Refusal:
    """Why something is refused: a code for programs and a sentence for people."""

    code: str
    message: str


def refuse_start(
    *,
    user: str,
    host: str | None,
    hosts: Iterable[str | None],
    active: Run | None,
    stopping: bool,
    only_new: bool,
    workers: int,
    allowlist: Allowlist,
) -> Refusal | None:
    """Return why a start is refused, None if it is allowed; during a run it changes the users.

    ``host`` is the requested target, None to leave it unchanged; ``hosts`` are those that the users
    would have. ``only_new`` refuses to change a run, too.
    """
    if active is not None:
        if stopping:
            return Refusal("run_active", f"{active.describe()}, which is stopping; wait a moment")
        if only_new or user != active.started_by:
            return Refusal("run_active", f"{active.describe()}; stop that run first")
        if host is not None and without_credentials(host) != active.host:
            return Refusal("run_active", "the host cannot change in a run; stop the run first")
        return None
    if workers == 0:
        return Refusal("no_workers", "no worker is connected; wait a moment or add workers")
    return refuse_hosts(hosts, allowlist)


def refuse_numbers(users: float, spawn_rate: float) -> Refusal | None:
    """Return why the numbers of a shape or the configuration are refused, None if allowed."""
    if not 0 <= users <= MOST_USERS:
        return Refusal("bad_input", f"{users} users cannot run; use 0 to {MOST_USERS}")
    if not SLOWEST <= spawn_rate <= FASTEST:
        return Refusal(
            "bad_input", f"no {spawn_rate} users start per second; use {SLOWEST} to {FASTEST}"
        )
    return None


def refuse_host_of_class(
    host: str | None, present: str | None, active: Run | None, allowlist: Allowlist
) -> Refusal | None:
    """Return why a new host of a class of users is refused, None if it is allowed."""
    if host == present:
        return None
    if active is not None:
        return Refusal("run_active", "the host cannot change in a run; stop the run first")
    return refuse_hosts([host], allowlist)


def refuse_hosts(hosts: Iterable[str | None], allowlist: Allowlist) -> Refusal | None:
    """Return why one of the users' hosts is refused, None if all are allowed or absent."""
    for host in hosts:
        if host is not None and not allowlist.allows_url(host):
            return Refusal("target_refused", allowlist.refusal(host))
    return None
