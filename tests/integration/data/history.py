"""Workers that take, give back, use up and die at random, over a store; nothing is ever amiss."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from typing import Any

from redis import Redis

from locust_fleet.data.redis_store import RedisStore
from locust_fleet.data.source import WhenEmpty
from locust_fleet.data.store import ClientIdentity, Exchange, Fenced, Late, Store
from locust_fleet.errors import FleetError

RECORDS = [str(number) for number in range(10)]
STEPS = 1000
POLICIES: tuple[WhenEmpty, ...] = ("wait", "recycle", "stop")
RUN = "history"


def live(store: Store, seed: int) -> int:
    """Go through a history; returns how many records were lent. AssertionError when it is wrong."""
    redis = _all_rights(store)
    store.open(RUN)
    _load(store)
    chance = random.Random(seed)
    lives = dict.fromkeys("abcd", 0)
    identities = {name: _join(store, f"{name}:0") for name in lives}
    held: dict[str, set[str]] = {name: set() for name in lives}
    numbers, delayed = itertools.count(1), list[tuple[ClientIdentity, Exchange]]()
    lent = 0
    for _ in range(STEPS):
        name = chance.choice("abcd")
        back = sorted(held[name])[: chance.randint(1, 3)]
        step = chance.random()
        if step < 0.5:
            want, policy = chance.randint(1, 4), chance.choice(POLICIES)
            exchange = Exchange([], [], want, policy, next(numbers))
            got = {key for key, _ in store.exchange(identities[name], "s", exchange).records}
            held[name] |= got
            lent += len(got)
        elif step < 0.8:
            given, used_up = (back, []) if step < 0.7 else ([], back)
            store.exchange(
                identities[name], "s", Exchange(given, used_up, 0, "wait", next(numbers))
            )
            held[name] -= set(back)
        elif step < 0.85:
            # It is on its way for long; the worker asks what became of it, and goes on.
            delayed.append((identities[name], Exchange(back, [], 2, "recycle", next(numbers))))
            assert set(store.held(identities[name], "s", next(numbers))) == held[name]
        elif step < 0.9 and delayed:
            assert _is_refused(store, *delayed.pop(), Late, Fenced)
        elif step >= 0.9:
            # Its time is over; it wakes up, and can neither take nor give back nor live on.
            former, lost = identities[name], held[name]
            _expire(redis, former)
            lives[name] += 1
            identities[name], held[name] = _join(store, f"{name}:{lives[name]}"), set()
            for back, want in ((sorted(lost), 0), ([], 1)):
                exchange = Exchange(back, [], want, "wait", next(numbers))
                assert _is_refused(store, former, exchange, Fenced)
        out = [key for mine in held.values() for key in mine]
        assert len(out) == len(set(out)), out
        assert _places(redis) == sorted(RECORDS)
    return lent


def rejoin(store: Store) -> Sequence[str]:
    """Return what an identity holds that joins again after its end."""
    store.open(RUN)
    _load(store)
    identity, other = _join(store, "a:0"), _join(store, "b:0")
    assert store.exchange(identity, "s", Exchange([], [], 2, "wait", 1)).records
    _expire(_all_rights(store), identity)
    store.renew(other, "b", 60_000, 0)
    return store.held(_join(store, "a:0"), "s", 2)


def _all_rights(store: Store) -> Redis:
    """Return a client: to look at it, and to let time pass, more is needed than a worker may."""
    assert isinstance(store, RedisStore)
    reached = store._redis.connection_pool.connection_kwargs
    return Redis(host=reached["host"], port=reached["port"], password="test")


def _expire(redis: Redis, identity: ClientIdentity) -> None:
    redis.zadd(f"fleet:data:{RUN}:holders", {identity.name: 1})


def _join(store: Store, name: str) -> ClientIdentity:
    return ClientIdentity(RUN, name, store.join(RUN, name, name, 60_000, {}))


def _load(store: Store) -> None:
    identity = _join(store, "loader")
    token = store.acquire(identity, "load s", 1000)
    store.put(identity, "s", token, 0, RECORDS)
    assert store.finish(identity, "s", token)
    store.leave(RUN, "loader", "loader", 0)


def _is_refused(
    store: Store, identity: ClientIdentity, exchange: Exchange, *why: type[FleetError]
) -> bool:
    try:
        store.exchange(identity, "s", exchange)
    except why:
        return True
    return False


def _places(redis: Redis) -> list[str]:
    """Return the records by where they are in Redis: each once, if all is well."""
    found: list[Any] = []
    for pile in ("free", "used"):
        ids: Any = redis.lrange(f"fleet:data:{RUN}:{pile}:s", 0, -1)
        found += ids
    for key in redis.scan_iter(f"fleet:data:{RUN}:held:*"):
        things: Any = redis.smembers(key)
        found += [thing.removeprefix(b"s\n") for thing in things]
    return sorted(key.decode() for key in found)
