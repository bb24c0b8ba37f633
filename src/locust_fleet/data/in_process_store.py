"""Shared data in the memory of one process: a laptop's, or a leader's that has no Redis."""

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
    HOLD_S,
    STARVING_S,
    ClientIdentity,
    Exchange,
    Fenced,
    Handout,
    Late,
    OnHold,
)
from locust_fleet.errors import DataError


@dataclass
class Pile:
    """The records of a source: all of them, and the ids of those that nobody holds."""

    records: dict[str, str] = field(default_factory=dict)
    free: deque[str] = field(default_factory=deque)
    used: deque[str] = field(default_factory=deque)
    # Who found none: since when, and when it asked last.
    queue: dict[str, tuple[float, float]] = field(default_factory=dict)
    leases: int = 0
    reclaimed: int = 0


@dataclass
class RunData:
    """What is known of a run; times in seconds."""

    hold_until: float
    memory: str = field(default_factory=lambda: secrets.token_hex(8))
    expires: dict[str, float] = field(default_factory=dict)
    held: dict[str, set[tuple[str, str]]] = field(default_factory=dict)
    # Of each identity: source -> number of the last question carried out.
    questions: dict[str, dict[str, int]] = field(default_factory=dict)
    piles: dict[str, Pile] = field(default_factory=dict)
    loading: dict[str, tuple[int, dict[str, str]]] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)
    locks: dict[str, tuple[str, int, float]] = field(default_factory=dict)
    groups: dict[str, dict[str, str]] = field(default_factory=dict)
    token: int = 0


class InProcessStore:
    """The data of the last run; as scripts.py does it, step by step."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._runs: dict[str, RunData] = {}
        self._opened: str | None = None
        self._closed: str | None = None

    def open(self, run: str) -> None:
        self._runs, self._opened, self._closed = {run: RunData(hold_until=0.0)}, run, None

    def join(
        self, run: str, name: str, worker: str, expiry: int, counters: Mapping[str, int]
    ) -> str:
        # A new leader has opened none, and learns from the workers which run goes on.
        if run == self._closed or self._opened not in (None, run):
            raise DataError("the run is over; use shared data in the tasks of users")
        if run not in self._runs:
            self._runs = {run: RunData(hold_until=self._clock() + HOLD_S)}
        mine = self._runs[run]
        mine.expires[name] = self._clock() + expiry / 1000
        if worker:
            mine.groups.setdefault(ACTIVE_WORKERS, {})[worker] = name
        for counter, value in counters.items():
            mine.counters[counter] = max(mine.counters.get(counter, 0), value)
        return mine.memory

    def renew(self, holder: ClientIdentity, worker: str, expiry: int, requests: int) -> None:
        run = self._known(holder)
        run.expires[holder.name] = self._clock() + expiry / 1000
        if worker:
            run.groups.setdefault(ACTIVE_WORKERS, {})[worker] = holder.name
            run.requests[worker] = requests
        self._bury(run)

    def leave(self, run: str, name: str, worker: str, requests: int) -> None:
        if mine := self._runs.get(run):
            self._put_back(mine, name)
            if worker:
                mine.requests[worker] = requests
            self.withdraw(run, name, ACTIVE_WORKERS, worker)

    def close(self, run: str) -> Mapping[str, Any]:
        self._closed = run
        mine = self._runs.pop(run, RunData(hold_until=0.0))
        return {
            "counters": mine.counters,
            "requests": mine.requests,
            "sources": {
                source: {
                    "records": len(pile.records),
                    "leases": pile.leases,
                    "reclaimed": pile.reclaimed,
                    "used up": len(pile.used),
                }
                for source, pile in mine.piles.items()
            },
        }

    def exchange(self, holder: ClientIdentity, source: str, order: Exchange) -> Handout:
        run = self._known_in_time(holder, source, order.number)
        mine, pile = run.held.setdefault(holder.name, set()), run.piles.get(source)
        for key in (*order.give, *order.use_up):
            if pile and (source, key) in mine:
                mine.remove((source, key))
                (pile.used if key in order.use_up else pile.free).append(key)
        if not order.want:
            return Handout("open", [])
        self._wait_for_others(run)
        if pile is None:
            return Handout("unloaded", [])
        if len(pile.free) < order.want:
            self._bury(run)
        while pile.used and len(pile.free) < order.want and order.when_empty == "recycle":
            pile.free.append(pile.used.popleft())
        room = len(pile.free) - self._starving(run, pile, holder.name)
        keys = [pile.free.popleft() for _ in range(max(0, min(order.want, room)))]
        mine |= {(source, key) for key in keys}
        pile.leases += len(keys)
        if keys:
            pile.queue.pop(holder.name, None)
        elif order.when_empty != "stop":
            since, _ = pile.queue.get(holder.name, (self._clock(), 0.0))
            pile.queue[holder.name] = (since, self._clock())
        if not keys and len(pile.used) == len(pile.records):
            return Handout("used up", [])
        return Handout("open", [(key, pile.records[key]) for key in keys])

    def held(self, holder: ClientIdentity, source: str, number: int) -> Sequence[str]:
        run = self._known_in_time(holder, source, number)
        mine = run.held.get(holder.name, set())
        return [key for of, key in mine if of == source]

    def put(
        self, holder: ClientIdentity, source: str, token: int, first: int, texts: Sequence[str]
    ) -> None:
        run = self._known(holder)
        if run.locks.get(f"load {source}", ("", 0))[:2] != (holder.name, token):
            return
        # What a loader that died has left behind is of no use to this one.
        if run.loading.get(source, (0, {}))[0] != token:
            run.loading[source] = (token, {})
        laid = run.loading[source][1]
        laid |= {str(first + number): text for number, text in enumerate(texts)}

    def finish(self, holder: ClientIdentity, source: str, token: int) -> bool:
        run = self._known(holder)
        name, last, till = run.locks.get(f"load {source}", ("", 0, 0.0))
        if (name, last) != (holder.name, token) or till <= self._clock():
            return False
        if source in run.piles:
            return False
        _, records = run.loading.pop(source, (token, {}))
        run.piles[source] = Pile(records, deque(records))
        return True

    def read_list(self, key: str, first: int, count: int) -> Sequence[str]:
        raise DataError(f"the list {key} is in Redis, and there is none here; use a file")

    def count(self, holder: ClientIdentity, name: str, by: int) -> int:
        run = self._known(holder)
        self._wait_for_others(run)
        run.counters[name] = run.counters.get(name, 0) + by
        return run.counters[name]

    def acquire(self, holder: ClientIdentity, lock: str, expiry: int) -> int:
        run = self._known(holder)
        self._wait_for_others(run)
        if lock in run.locks:
            name, _, till = run.locks[lock]
            if self._lives(run, name) and till > self._clock():
                return 0
        run.token = max(run.token + 1, time.time_ns() // 1_000_000)
        run.locks[lock] = (holder.name, run.token, self._clock() + expiry / 1000)
        return run.token

    def release(self, run: str, name: str, lock: str, token: int) -> bool:
        locks = self._runs[run].locks if run in self._runs else {}
        if lock not in locks or locks[lock][:2] != (name, token):
            return False
        del locks[lock]
        return True

    def enter(self, holder: ClientIdentity, group: str, member: str) -> None:
        self._known(holder).groups.setdefault(group, {})[member] = holder.name

    def withdraw(self, run: str, name: str, group: str, member: str) -> None:
        members = self._runs[run].groups.get(group, {}) if run in self._runs else {}
        if members.get(member) == name:
            del members[member]

    def members(self, run: str, group: str) -> Sequence[str]:
        mine = self._runs.get(run, RunData(hold_until=0.0))
        members = mine.groups.get(group, {})
        for member in [one for one, name in members.items() if not self._lives(mine, name)]:
            del members[member]
        return list(members)

    def requests(self, run: str) -> Mapping[str, int]:
        return dict(self._runs[run].requests) if run in self._runs else {}

    def _known(self, holder: ClientIdentity) -> RunData:
        if holder.run == self._closed:
            raise DataError("the run is over; use shared data in the tasks of users")
        run = self._runs.get(holder.run)
        if run is None or not self._lives(run, holder.name):
            raise Fenced("the identity of this worker has expired")
        return run

    def _known_in_time(self, holder: ClientIdentity, source: str, number: int) -> RunData:
        run = self._known(holder)
        questions = run.questions.setdefault(holder.name, {})
        if number <= questions.get(source, 0):
            raise Late("a later question was carried out")
        questions[source] = number
        return run

    def _lives(self, run: RunData, name: str) -> bool:
        return run.expires.get(name, 0.0) > self._clock()

    def _wait_for_others(self, run: RunData) -> None:
        if run.hold_until > self._clock():
            raise OnHold("the leader has started anew")

    def _starving(self, run: RunData, pile: Pile, me: str) -> int:
        """Return how many have asked in vain for long, and for longer than this one."""
        now = self._clock()
        pile.queue = {
            name: (since, asked)
            for name, (since, asked) in pile.queue.items()
            if now - asked < GONE_S and self._lives(run, name)
        }
        mine, _ = pile.queue.get(me, (now, now))
        return sum(since < mine and now - since >= STARVING_S for since, _ in pile.queue.values())

    def _bury(self, run: RunData) -> None:
        for name in [name for name in run.expires if not self._lives(run, name)]:
            for source, _ in self._put_back(run, name):
                run.piles[source].reclaimed += 1

    def _put_back(self, run: RunData, name: str) -> set[tuple[str, str]]:
        things = run.held.pop(name, set())
        for source, key in sorted(things):
            run.piles[source].free.append(key)
        run.questions.pop(name, None)
        run.expires.pop(name, None)
        return things
