"""Decide whether a run may start or change. Pure: web.py asks for people, gate.py for others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from locust_fleet.master.run import Run
from locust_fleet.targets import Targets, without_credentials

MOST_USERS = 10_000_000
LONGEST_RUN_S = 366 * 86400
# What Locust's form for user classes sends; anything else would be set on the class as it is.
USER_SETTINGS = {"user_class_name", "host", "tasks", "weight", "fixed_count"}


@dataclass(frozen=True)
class Refusal:
    """Why something may not be done: a word for programs and a sentence for people."""

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
    targets: Targets,
) -> Refusal | None:
    """Judge a start, which during a run is a change of its users; None when it may be done.

    ``host`` is the target that was asked for, None to leave it as it is; ``hosts`` are those
    that the users would then have. ``only_new`` refuses the change of a run, too.
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
    return refuse_hosts(hosts, targets)


def refuse_numbers(*, users: int, run_time_s: float | None) -> Refusal | None:
    """Judge what no run can be, and what nobody could store."""
    if users > MOST_USERS:
        return Refusal("bad_input", f"{users} users are too many; use at most {MOST_USERS}")
    if run_time_s is not None and not 0 < run_time_s <= LONGEST_RUN_S:
        return Refusal("bad_input", "the run time is not between a second and a year")
    return None


def refuse_user_setting(
    *, settings: Mapping[str, object], active: Run | None, targets: Targets
) -> Refusal | None:
    """Judge a change of a user class; None when it may be done."""
    unknown = sorted(set(settings) - USER_SETTINGS)
    if unknown:
        known = ", ".join(sorted(USER_SETTINGS))
        return Refusal("bad_input", f"{', '.join(unknown)} cannot be set; there is: {known}")
    host = settings.get("host")
    if host is None:
        return None
    if active is not None:
        return Refusal("run_active", "the host cannot change in a run; stop the run first")
    if not isinstance(host, str) or not targets.allows_url(host):
        return Refusal("target_refused", targets.refusal(str(host)))
    return None


def refuse_hosts(hosts: Iterable[str | None], targets: Targets) -> Refusal | None:
    """Judge the hosts that the users of a run have; users without one open no HTTP connection."""
    for host in hosts:
        if host is not None and not targets.allows_url(host):
            return Refusal("target_refused", targets.refusal(host))
    return None
