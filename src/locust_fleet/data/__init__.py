"""Data that all workers of a run share: ``from locust_fleet import data``.

Each run begins with no data. Outside a fleet the same functions share data within one process.

The import adds a listener to Locust's ``init`` event: with plain ``locust -f`` nothing else tells
the shared data of the process where a test begins and ends.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from locust_fleet.data.client import DataRegistry
from locust_fleet.data.counter import Counter
from locust_fleet.data.lock import Lock
from locust_fleet.data.members import Members
from locust_fleet.data.record_lease import Lease
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

_standalone = StandaloneStore()
# One for the process: Locust imports the scenario and creates its users, so no client can be
# passed to them.
registry = DataRegistry(_standalone.client)
_standalone.attach(registry)


def counter(name: str) -> Counter:
    """Return a number that all workers count up, from 0 in each run."""
    check_name("counter", name)
    return Counter(registry.client, name)


def lock(name: str, expiry_s: float = 30.0) -> Lock:
    """Return a lock that one user of all workers holds at a time, at most ``expiry_s`` seconds."""
    check_name("lock", name)
    if expiry_s <= 0:
        raise DataError(f"expiry_s of the lock {name} is {expiry_s:g}; use a number above 0")
    return Lock(registry.client, name, expiry_s)


def members(group: str) -> Members:
    """Return a group of names; the fleet maintains "active_workers", every worker of the run."""
    check_name("group", group)
    return Members(registry.client, group)


def requests() -> Mapping[str, int]:
    """Return how many requests each worker has made in this run, as of some seconds ago."""
    client = registry.client
    return client.store.requests(client.run_id())


def source(name: str, where: str, *, when_empty: WhenEmpty = "wait") -> None:
    """Declare where the records of a name are; call it when the locustfile is imported.

    ``where`` is a .csv or .jsonl file, relative to the folder of the calling file, or redis:KEY
    for a list. When no record is free, a user waits until one is given back ("wait"), gets a
    record that was used up ("recycle"), or stops ("stop"). Raises DataError, which names what is
    wrong.
    """
    caller = sys._getframe(1).f_globals.get("__file__", ".")
    made = source_of(name, where, when_empty, Path(caller).resolve().parent)
    made.check()
    registry.declare(made)


def lease(name: str, timeout_s: float | None = None) -> Lease:
    """Return a record of a source for a with block, in which no other user has it.

    The with block raises DataError when no record was free for ``timeout_s`` seconds; None waits
    without end.
    """
    return Lease(registry.client, registry.source(name), timeout_s)
