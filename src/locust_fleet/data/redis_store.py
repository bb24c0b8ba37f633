"""Shared data in Redis: each step is one script, so nobody ever sees half of one."""

from __future__ import annotations

import functools
import hashlib
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from gevent.lock import BoundedSemaphore
from redis import Redis
from redis.exceptions import NoScriptError, RedisError, ResponseError

from locust_fleet.data import scripts
from locust_fleet.data.store import (
    HOLD_S,
    ClientIdentity,
    Exchange,
    Fenced,
    Handout,
    Late,
    OnHold,
    Restarted,
)
from locust_fleet.errors import DataError, StoreUnavailable
from locust_fleet.runtime.redis import redis_client
from locust_fleet.settings.stores import RedisSettings

PATIENCE_S = 2.0
# Of one process; users wait for their turn, so that a thousand workers are not too many clients.
CONNECTIONS = 4
# How long a closed run can still be looked at.
CLOSED_LIFE_MS = 10 * 60 * 1000
HOLD_MS = int(HOLD_S * 1000)


class RedisStore:
    """The data of all runs, in Redis."""

    def __init__(self, settings: RedisSettings) -> None:
        self._where = f"{settings.host}:{settings.port}"
        self._redis: Redis = redis_client(settings, PATIENCE_S)
        self._turn = BoundedSemaphore(CONNECTIONS)

    def open(self, run: str) -> None:
        self._eval(scripts.OPEN, run, new_memory())
        self._load()

    def join(
        self, run: str, name: str, worker: str, expiry: int, counters: Mapping[str, int]
    ) -> str:
        pairs = [word for pair in counters.items() for word in pair]
        new = (name, worker, expiry, new_memory(), HOLD_MS, *pairs)
        return text(self._run(scripts.JOIN, run, *new))

    def renew(self, holder: ClientIdentity, worker: str, expiry: int, requests: int) -> None:
        self._ask(scripts.RENEW, holder, worker, expiry, requests)

    def leave(self, run: str, name: str, worker: str, requests: int) -> None:
        self._run(scripts.LEAVE, run, name, worker, requests)

    def close(self, run: str) -> Mapping[str, Any]:
        summary: Mapping[str, Any] = json.loads(self._run(scripts.CLOSE, run, CLOSED_LIFE_MS))
        return summary

    def exchange(self, holder: ClientIdentity, source: str, order: Exchange) -> Handout:
        back = (*order.give, *order.use_up)
        how = order.number, order.want, order.when_empty, len(order.give)
        state, given, texts = self._ask(scripts.EXCHANGE, holder, source, *how, *back)
        pairs = zip(map(text, given), map(text, texts), strict=True)
        return Handout(text(state), list(pairs))  # type: ignore[arg-type]

    def held(self, holder: ClientIdentity, source: str, number: int) -> Sequence[str]:
        return texts_of(self._ask(scripts.HELD, holder, source, number))

    def put(
        self, holder: ClientIdentity, source: str, token: int, first: int, texts: Sequence[str]
    ) -> None:
        self._ask(scripts.PUT, holder, source, token, first, *texts)

    def finish(self, holder: ClientIdentity, source: str, token: int) -> bool:
        return bool(self._ask(scripts.FINISH, holder, source, token))

    def read_list(self, key: str, first: int, count: int) -> Sequence[str]:
        if key.startswith("fleet:"):
            raise DataError(f"the list {key} is ours; use one of your own")
        return texts_of(self._guarded(lambda: self._redis.lrange(key, first, first + count - 1)))

    def count(self, holder: ClientIdentity, name: str, by: int) -> int:
        return int(self._ask(scripts.COUNT, holder, name, by))

    def acquire(self, holder: ClientIdentity, lock: str, expiry: int) -> int:
        return int(self._ask(scripts.ACQUIRE, holder, lock, expiry))

    def release(self, run: str, name: str, lock: str, token: int) -> bool:
        return bool(self._run(scripts.RELEASE, run, name, lock, token))

    def enter(self, holder: ClientIdentity, group: str, member: str) -> None:
        self._ask(scripts.ENTER, holder, group, member)

    def withdraw(self, run: str, name: str, group: str, member: str) -> None:
        self._run(scripts.WITHDRAW, run, name, group, member)

    def members(self, run: str, group: str) -> Sequence[str]:
        return texts_of(self._run(scripts.MEMBERS, run, group))

    def requests(self, run: str) -> Mapping[str, int]:
        found = self._guarded(lambda: self._redis.hgetall(key_of(run) + ":requests"))
        return {text(worker): int(made) for worker, made in found.items()}

    def _ask(self, script: str, holder: ClientIdentity, *arguments: str | int) -> Any:
        return self._run(script, holder.run, holder.name, holder.memory, *arguments)

    def _run(self, script: str, run: str, *arguments: str | int) -> Any:
        def once() -> Any:
            return self._redis.evalsha(sha(script), 1, key_of(run), *arguments)

        # Who waits for a turn behind its users would be taken for dead.
        turn = nullcontext() if script in (scripts.JOIN, scripts.RENEW) else self._turn
        try:
            with turn:
                return self._guarded(once)
        except NoScriptError:
            # Redis started anew, and may have lost what it had not yet written to its disk.
            self._eval(scripts.REMEMBER, run, new_memory(), HOLD_MS)
            self._load()
        try:
            with turn:
                return self._guarded(once)
        except NoScriptError as error:
            raise StoreUnavailable(f"Redis at {self._where} starts again and again") from error

    def _eval(self, script: str, run: str, *arguments: str | int) -> Any:
        whole = scripts.PRELUDE + script
        return self._guarded(lambda: self._redis.eval(whole, 1, key_of(run), *arguments))

    def _load(self) -> None:
        for script in scripts.OFTEN:
            self._guarded(functools.partial(self._redis.script_load, scripts.PRELUDE + script))

    def _guarded(self, question: Callable[[], Any]) -> Any:
        """Ask Redis; raises what its answer means."""
        try:
            return question()
        except NoScriptError:
            raise
        except ResponseError as error:
            raise self._meant(str(error)) from error
        except RedisError as error:
            raise StoreUnavailable(f"Redis does not answer at {self._where}: {error}") from error

    def _meant(self, said: str) -> Exception:
        word, _, rest = said.removeprefix("ERR ").partition(" ")
        match word:
            case "FENCED":
                return Fenced("the identity of this worker has expired")
            case "RESTARTED":
                return Restarted(rest)
            case "LATE":
                return Late("a later question was carried out")
            case "HOLD":
                return OnHold("Redis has started anew")
            case "OVER":
                return DataError("the run is over; use shared data in the tasks of users")
            case "OOM":
                return StoreUnavailable(f"Redis at {self._where} is full; load less data")
            case _:
                return StoreUnavailable(f"Redis at {self._where} refuses: {said}")


@functools.cache
def sha(script: str) -> str:
    """Return the name by which Redis knows a script."""
    return hashlib.sha1((scripts.PRELUDE + script).encode(), usedforsecurity=False).hexdigest()


def new_memory() -> str:
    """Return a name for what the store knows from now on."""
    return secrets.token_hex(8)


def key_of(run: str) -> str:
    """Return what all keys of a run begin with."""
    return f"fleet:data:{run}"


def text(raw: bytes) -> str:
    """Return what Redis holds as text; it keeps bytes, and a list of others' may hold any."""
    return raw.decode("utf-8", "replace")


def texts_of(raw: Sequence[bytes]) -> list[str]:
    """Return all of them as text."""
    return [text(one) for one in raw]
