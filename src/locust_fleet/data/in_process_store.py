"""Shared data in the memory of one process: without a fleet, or on a leader without Redis."""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from locust_fleet.data.store import (
    ACTIVE_WORKERS,
    GONE_S,
    QUARANTINE_S,
    STARVING_S,
    ClientIdentity,
    Exchange,
    Fenced,
    Handout,
    Late,
    Quarantined,
)
from locust_fleet.errors import DataError


@dataclass
class SourceRecords:
    """All records of a source by id, and the ids of those that are free or used up."""

    texts: dict[str, str] = field(default_factory=dict)
    free: deque[str] = field(default_factory=deque)
    used: deque[str] = field(default_factory=deque)
    # Identities that found no free record: since when, and when they asked last.
    queue: dict[str, tuple[float, float]] = field(default_factory=dict)
    leases: int = 0
    reclaimed: int = 0


@dataclass
class RunData:
    """The data of a run; times in seconds of the clock."""

    quarantine_until: float
    generation: str = field(default_factory=lambda: secrets.token_hex(8))
    # Identity -> when it expires.
    expires: dict[str, float] = field(default_factory=dict)
    # Identity -> source and id of each record that it holds.
    held: dict[str, set[tuple[str, str]]] = field(default_factory=dict)
    # Identity -> source -> number of the last question that was carried out.
    questions: dict[str, dict[str, int]] = field(default_factory=dict)
    sources: dict[str, SourceRecords] = field(default_factory=dict)
    # Source -> token of the loader, and the records that it has stored.
    loading: dict[str, tuple[int, dict[str, str]]] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)
    # Lock -> identity, token, when it expires.
    locks: dict[str, tuple[str, int, float]] = field(default_factory=dict)
    # Group -> member -> identity.
    groups: dict[str, dict[str, str]] = field(default_factory=dict)
    token: int = 0


class InProcessStore:
    """The data of the last run; each method does what the script of its name does in Redis."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._runs: dict[str, RunData] = {}
        self._opened: str | None = None
        self._closed: str | None = None

    def open(self, run: str) -> None:
        self._runs, self._opened, self._closed = {run: RunData(quarantine_until=0.0)}, run, None

    def join(
        self, run: str, name: str, worker: str, expiry: int, counters: Mapping[str, int]
    ) -> str:
        # A new leader has opened no run; it learns from the workers which run is under way.
        if run == self._closed or self._opened not in (None, run):
            raise DataError("the run is over; use shared data in the tasks of users")
        if run not in self._runs:
            self._runs = {run: RunData(quarantine_until=self._clock() + QUARANTINE_S)}
        run_data = self._runs[run]
        run_data.expires[name] = self._clock() + expiry / 1000
        if worker:
            run_data.groups.setdefault(ACTIVE_WORKERS, {})[worker] = name
        for counter, value in counters.items():
            run_data.counters[counter] = max(run_data.counters.get(counter, 0), value)
        return run_data.generation

    def renew(self, identity: ClientIdentity, worker: str, expiry: int, requests: int) -> None:
        run = self._run_of(identity)
        run.expires[identity.name] = self._clock() + expiry / 1000
        if worker:
            run.groups.setdefault(ACTIVE_WORKERS, {})[worker] = identity.name
            run.requests[worker] = requests
        self._release_expired(run)

    def leave(self, run: str, name: str, worker: str, requests: int) -> None:
        if run_data := self._runs.get(run):
            self._release(run_data, name)
            if worker:
                run_data.requests[worker] = requests
            self.withdraw(run, name, ACTIVE_WORKERS, worker)

    def close(self, run: str) -> Mapping[str, Any]:
        self._closed = run
        run_data = self._runs.pop(run, RunData(quarantine_until=0.0))
        return {
            "counters": run_data.counters,
            "requests": run_data.requests,
            "sources": {
                source: {
                    "records": len(records.texts),
                    "leases": records.leases,
                    "reclaimed": records.reclaimed,
                    "used up": len(records.used),
                }
                for source, records in run_data.sources.items()
            },
        }

    def exchange(self, identity: ClientIdentity, source: str, exchange: Exchange) -> Handout:
        run = self._run_of_question(identity, source, exchange.number)
        held, records = run.held.setdefault(identity.name, set()), run.sources.get(source)
        for key in (*exchange.give, *exchange.use_up):
            if records and (source, key) in held:
                held.remove((source, key))
                (records.used if key in exchange.use_up else records.free).append(key)
        if not exchange.want:
            return Handout("open", [])
        self._check_quarantine(run)
        if records is None:
            return Handout("unloaded", [])
        keys = self._lend(run, identity.name, records, exchange)
        held |= {(source, key) for key in keys}
        if not keys and len(records.used) == len(records.texts):
            return Handout("used up", [])
        return Handout("open", [(key, records.texts[key]) for key in keys])

    def _lend(
        self, run: RunData, name: str, records: SourceRecords, exchange: Exchange
    ) -> list[str]:
        """Take ids of free records for an identity; without any, it enters the queue."""
        if len(records.free) < exchange.want:
            self._release_expired(run)
        if exchange.when_empty == "recycle":
            while records.used and len(records.free) < exchange.want:
                records.free.append(records.used.popleft())
        available = len(records.free) - self._reserved_for_others(run, records, name)
        keys = [records.free.popleft() for _ in range(max(0, min(exchange.want, available)))]
        records.leases += len(keys)
        if keys:
            records.queue.pop(name, None)
        elif exchange.when_empty != "stop":
            since, _ = records.queue.get(name, (self._clock(), 0.0))
            records.queue[name] = (since, self._clock())
        return keys

    def held(self, identity: ClientIdentity, source: str, number: int) -> Sequence[str]:
        run = self._run_of_question(identity, source, number)
        held = run.held.get(identity.name, set())
        return [key for held_source, key in held if held_source == source]

    def put(
        self, identity: ClientIdentity, source: str, token: int, first: int, texts: Sequence[str]
    ) -> None:
        run = self._run_of(identity)
        if run.locks.get(f"load {source}", ("", 0))[:2] != (identity.name, token):
            return
        # Drop what a former loader has left behind.
        if run.loading.get(source, (0, {}))[0] != token:
            run.loading[source] = (token, {})
        loaded = run.loading[source][1]
        loaded |= {str(first + number): text for number, text in enumerate(texts)}

    def finish(self, identity: ClientIdentity, source: str, token: int) -> bool:
        run = self._run_of(identity)
        name, last, expires = run.locks.get(f"load {source}", ("", 0, 0.0))
        if (name, last) != (identity.name, token) or expires <= self._clock():
            return False
        if source in run.sources:
            return False
        _, records = run.loading.pop(source, (token, {}))
        run.sources[source] = SourceRecords(records, deque(records))
        return True

    def read_list(self, key: str, first: int, count: int) -> Sequence[str]:
        raise DataError(f"the list {key} is in Redis, which is not in use here; use a file")

    def count(self, identity: ClientIdentity, name: str, by: int) -> int:
        run = self._run_of(identity)
        self._check_quarantine(run)
        run.counters[name] = run.counters.get(name, 0) + by
        return run.counters[name]

    def acquire(self, identity: ClientIdentity, lock: str, expiry: int) -> int:
        run = self._run_of(identity)
        self._check_quarantine(run)
        if lock in run.locks:
            name, _, expires = run.locks[lock]
            if self._is_alive(run, name) and expires > self._clock():
                return 0
        run.token = max(run.token + 1, time.time_ns() // 1_000_000)
        run.locks[lock] = (identity.name, run.token, self._clock() + expiry / 1000)
        return run.token

    def release(self, run: str, name: str, lock: str, token: int) -> bool:
        locks = self._runs[run].locks if run in self._runs else {}
        if lock not in locks or locks[lock][:2] != (name, token):
            return False
        del locks[lock]
        return True

    def enter(self, identity: ClientIdentity, group: str, member: str) -> None:
        self._run_of(identity).groups.setdefault(group, {})[member] = identity.name

    def withdraw(self, run: str, name: str, group: str, member: str) -> None:
        members = self._runs[run].groups.get(group, {}) if run in self._runs else {}
        if members.get(member) == name:
            del members[member]

    def members(self, run: str, group: str) -> Sequence[str]:
        run_data = self._runs.get(run, RunData(quarantine_until=0.0))
        members = run_data.groups.get(group, {})
        expired = [one for one, name in members.items() if not self._is_alive(run_data, name)]
        for member in expired:
            del members[member]
        return list(members)

    def requests(self, run: str) -> Mapping[str, int]:
        return dict(self._runs[run].requests) if run in self._runs else {}

    def _run_of(self, identity: ClientIdentity) -> RunData:
        if identity.run == self._closed:
            raise DataError("the run is over; use shared data in the tasks of users")
        run = self._runs.get(identity.run)
        if run is None or not self._is_alive(run, identity.name):
            raise Fenced("the identity of this worker has expired")
        return run

    def _run_of_question(self, identity: ClientIdentity, source: str, number: int) -> RunData:
        run = self._run_of(identity)
        questions = run.questions.setdefault(identity.name, {})
        if number <= questions.get(source, 0):
            raise Late("a later question was carried out")
        questions[source] = number
        return run

    def _is_alive(self, run: RunData, name: str) -> bool:
        return run.expires.get(name, 0.0) > self._clock()

    def _check_quarantine(self, run: RunData) -> None:
        if run.quarantine_until > self._clock():
            raise Quarantined("the leader has restarted")

    def _reserved_for_others(self, run: RunData, records: SourceRecords, name: str) -> int:
        """Return how many identities have waited for STARVING_S, and for longer than this one."""
        now = self._clock()
        records.queue = {
            other: (since, asked)
            for other, (since, asked) in records.queue.items()
            if now - asked < GONE_S and self._is_alive(run, other)
        }
        own, _ = records.queue.get(name, (now, now))
        return sum(since < own and now - since >= STARVING_S for since, _ in records.queue.values())

    def _release_expired(self, run: RunData) -> None:
        for name in [name for name in run.expires if not self._is_alive(run, name)]:
            for source, _ in self._release(run, name):
                run.sources[source].reclaimed += 1

    def _release(self, run: RunData, name: str) -> set[tuple[str, str]]:
        """End an identity; returns source and id of each record that it held, which is now free."""
        held = run.held.pop(name, set())
        for source, key in sorted(held):
            run.sources[source].free.append(key)
        run.questions.pop(name, None)
        run.expires.pop(name, None)
        return held
