"""Data that all workers of a run share: ``from locust_fleet import data``.

Everything begins anew with each run. Without a fleet the same works in one process.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from locust_fleet.data.client import DataClients
from locust_fleet.data.counter import Counter
from locust_fleet.data.lease import Lease
from locust_fleet.data.lock import Lock
from locust_fleet.data.members import Members
from locust_fleet.data.source import WhenEmpty, check_name, source_of
from locust_fleet.data.standalone import StandaloneStore
from locust_fleet.errors import DataError, LeaseLost, StoreUnavailable

__all__ = [
    "DataError",
    "Lease",
    "LeaseLost",
    "StoreUnavailable",
    "counter",
    "lease",
    "lock",
    "members",
    "requests",
    "source",
]

_alone = StandaloneStore()
desks = DataClients(_alone.desk)
_alone.attach(desks)


def counter(name: str) -> Counter:
    """Return a number that grows over all workers, from 0."""
    check_name("counter", name)
    return Counter(desks.desk, name)


def lock(name: str, expiry_s: float = 30.0) -> Lock:
    """Return something that only one user may have at a time, and so many seconds at most."""
    check_name("lock", name)
    if expiry_s <= 0:
        raise DataError(f"expiry_s of the lock {name} is {expiry_s:g}; use some seconds")
    return Lock(desks.desk, name, expiry_s)


def members(group: str) -> Members:
    """Return a group of names; "active_workers" has every worker of the run by itself."""
    check_name("group", group)
    return Members(desks.desk, group)


def requests() -> Mapping[str, int]:
    """Return how many requests each worker has made in this run, some seconds ago at most."""
    desk = desks.desk
    return desk.store.requests(desk.run_id())


def source(name: str, where: str, *, when_empty: WhenEmpty = "wait") -> None:
    """Say where the records of a name are; to be called when the locustfile is imported.

    ``where`` is a .csv or .jsonl file, in the folder of the file that calls this, or redis:KEY
    for a list. When no record is free, a user waits until one is given back; or what was used up
    is used again ("recycle"); or the user stops ("stop").
    """
    caller = sys._getframe(1).f_globals.get("__file__", ".")
    made = source_of(name, where, when_empty, Path(caller).resolve().parent)
    made.check()
    desks.declare(made)


def lease(name: str, timeout_s: float | None = None) -> Lease:
    """Return a record of a source for a with block, in which nobody else has it.

    DataError when none was free for ``timeout_s``; None waits without end.
    """
    return Lease(desks.desk, desks.source(name), timeout_s)
