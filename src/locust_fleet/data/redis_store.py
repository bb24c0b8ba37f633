"""Shared data in Redis: each method of the store is one script, so it is atomic."""

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

from locust_fleet.data import redis_scripts
from locust_fleet.data.store import (
    QUARANTINE_S,
    ClientIdentity,
    Exchange,
    Fenced,
    Handout,
    Late,
    Quarantined,
    Restarted,
)
from locust_fleet.errors import DataError, StoreUnavailable
from locust_fleet.runtime.redis import redis_client
from locust_fleet.settings.stores import RedisSettings

REDIS_TIMEOUT_S = 2.0
# At the same time, of one process: a thousand workers must not be too many clients for Redis.
MAX_QUESTIONS = 4
# How long the data of a closed run is kept.
CLOSED_RUN_TTL_MS = 10 * 60 * 1000
QUARANTINE_MS = int(QUARANTINE_S * 1000)

# The scripts that Redis keeps; the others are sent with each call.
PRELOADED = (
    *(
        redis_scripts.JOIN,
        redis_scripts.RENEW,
        redis_scripts.LEAVE,
        redis_scripts.CLOSE,
        redis_scripts.EXCHANGE,
        redis_scripts.HELD,
    ),
    *(
        redis_scripts.PUT,
        redis_scripts.FINISH,
        redis_scripts.COUNT,
        redis_scripts.ACQUIRE,
        redis_scripts.RELEASE,
    ),
    *(redis_scripts.ENTER, redis_scripts.WITHDRAW, redis_scripts.MEMBERS),
)


class RedisStore:
    """The data of all runs, in Redis."""

    def __init__(self, settings: RedisSettings) -> None:
        self._address = f"{settings.host}:{settings.port}"
        self._redis: Redis = redis_client(settings, REDIS_TIMEOUT_S)
        self._turn = BoundedSemaphore(MAX_QUESTIONS)

    def open(self, run: str) -> None:
        self._eval(redis_scripts.OPEN, run, new_generation())
        self._load()

    def join(
        self, run: str, name: str, worker: str, expiry: int, counters: Mapping[str, int]
    ) -> str:
        pairs = [word for pair in counters.items() for word in pair]
        new = (name, worker, expiry, new_generation(), QUARANTINE_MS, *pairs)
        return text(self._run(redis_scripts.JOIN, run, *new))

    def renew(self, identity: ClientIdentity, worker: str, expiry: int, requests: int) -> None:
        self._ask(redis_scripts.RENEW, identity, worker, expiry, requests)

    def leave(self, run: str, name: str, worker: str, requests: int) -> None:
        self._run(redis_scripts.LEAVE, run, name, worker, requests)

    def close(self, run: str) -> Mapping[str, Any]:
        summary: Mapping[str, Any] = json.loads(
            self._run(redis_scripts.CLOSE, run, CLOSED_RUN_TTL_MS)
        )
        return summary

    def exchange(self, identity: ClientIdentity, source: str, exchange: Exchange) -> Handout:
        back = (*exchange.give, *exchange.use_up)
        how = exchange.number, exchange.want, exchange.when_empty, len(exchange.give)
        state, given, texts = self._ask(redis_scripts.EXCHANGE, identity, source, *how, *back)
        pairs = zip(map(text, given), map(text, texts), strict=True)
        return Handout(text(state), list(pairs))  # type: ignore[arg-type]

    def held(self, identity: ClientIdentity, source: str, number: int) -> Sequence[str]:
        return texts_of(self._ask(redis_scripts.HELD, identity, source, number))

    def put(
        self, identity: ClientIdentity, source: str, token: int, first: int, texts: Sequence[str]
    ) -> None:
        self._ask(redis_scripts.PUT, identity, source, token, first, *texts)

    def finish(self, identity: ClientIdentity, source: str, token: int) -> bool:
        return bool(self._ask(redis_scripts.FINISH, identity, source, token))

    def read_list(self, key: str, first: int, count: int) -> Sequence[str]:
        if key.startswith("fleet:"):
            raise DataError(f"the list {key} belongs to the fleet; use a list of your own")
        return texts_of(self._answer_to(lambda: self._redis.lrange(key, first, first + count - 1)))

    def count(self, identity: ClientIdentity, name: str, by: int) -> int:
        return int(self._ask(redis_scripts.COUNT, identity, name, by))

    def acquire(self, identity: ClientIdentity, lock: str, expiry: int) -> int:
        return int(self._ask(redis_scripts.ACQUIRE, identity, lock, expiry))

    def release(self, run: str, name: str, lock: str, token: int) -> bool:
        return bool(self._run(redis_scripts.RELEASE, run, name, lock, token))

    def enter(self, identity: ClientIdentity, group: str, member: str) -> None:
        self._ask(redis_scripts.ENTER, identity, group, member)

    def withdraw(self, run: str, name: str, group: str, member: str) -> None:
        self._run(redis_scripts.WITHDRAW, run, name, group, member)

    def members(self, run: str, group: str) -> Sequence[str]:
        return texts_of(self._run(redis_scripts.MEMBERS, run, group))

    def requests(self, run: str) -> Mapping[str, int]:
        found = self._answer_to(lambda: self._redis.hgetall(key_of(run) + ":requests"))
        return {text(worker): int(made) for worker, made in found.items()}

    def _ask(self, script: str, identity: ClientIdentity, *arguments: str | int) -> Any:
        return self._run(script, identity.run, identity.name, identity.generation, *arguments)

    def _run(self, script: str, run: str, *arguments: str | int) -> Any:
        def ask() -> Any:
            return self._redis.evalsha(sha(script), 1, key_of(run), *arguments)

        # An identity would expire if its renewal waited behind the questions of users.
        turn = nullcontext() if script in (redis_scripts.JOIN, redis_scripts.RENEW) else self._turn
        try:
            with turn:
                return self._answer_to(ask)
        except NoScriptError:
            # Redis has restarted, and may have lost what it had not yet written to disk.
            self._eval(redis_scripts.NEW_GENERATION, run, new_generation(), QUARANTINE_MS)
            self._load()
        try:
            with turn:
                return self._answer_to(ask)
        except NoScriptError as error:
            raise StoreUnavailable(f"Redis at {self._address} keeps restarting") from error

    def _eval(self, script: str, run: str, *arguments: str | int) -> Any:
        whole = redis_scripts.PRELUDE + script
        return self._answer_to(lambda: self._redis.eval(whole, 1, key_of(run), *arguments))

    def _load(self) -> None:
        for script in PRELOADED:
            self._answer_to(
                functools.partial(self._redis.script_load, redis_scripts.PRELUDE + script)
            )

    def _answer_to(self, question: Callable[[], Any]) -> Any:
        """Return Redis's answer to a question; raises the error that it stands for."""
        try:
            return question()
        except NoScriptError:
            raise
        except ResponseError as error:
            raise self._error_of(str(error)) from error
        except RedisError as error:
            raise StoreUnavailable(f"Redis does not answer at {self._address}: {error}") from error

    def _error_of(self, message: str) -> Exception:
        word, _, rest = message.removeprefix("ERR ").partition(" ")
        match word:
            case "FENCED":
                return Fenced("the identity of this worker has expired")
            case "RESTARTED":
                return Restarted(rest)
            case "LATE":
                return Late("the store has carried out a later question")
            case "HOLD":
                return Quarantined("Redis has restarted")
            case "OVER":
                return DataError("the run is over; use shared data in the tasks of users")
            case "OOM":
                return StoreUnavailable(f"Redis at {self._address} is full; load less data")
            case _:
                return StoreUnavailable(f"Redis at {self._address} refuses the question: {message}")


@functools.cache
def sha(script: str) -> str:
    """Return the hash by which Redis knows a script."""
    return hashlib.sha1(
        (redis_scripts.PRELUDE + script).encode(), usedforsecurity=False
    ).hexdigest()


def new_generation() -> str:
    """Return a name for a new generation of the data."""
    return secrets.token_hex(8)


def key_of(run: str) -> str:
    """Return the prefix of all keys of a run."""
    return f"fleet:data:{run}"


def text(raw: bytes) -> str:
    """Return bytes of Redis as text; a list that a scenario names may hold any bytes."""
    return raw.decode("utf-8", "replace")


def texts_of(raw: Sequence[bytes]) -> list[str]:
    """Return several values of Redis as text."""
    return [text(one) for one in raw]
