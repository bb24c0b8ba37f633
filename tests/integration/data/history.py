"""Workers that take, give back, use up and die at random, over a store; nothing is ever amiss."""

from __future__ import annotations

import random
from typing import Any

from redis import Redis

from locust_fleet.data.shared import Shared
from locust_fleet.data.source import WhenEmpty
from locust_fleet.data.store import Fenced, Holder, Order, Store

RECORDS = [str(number) for number in range(10)]
STEPS = 1000
POLICIES: tuple[WhenEmpty, ...] = ("wait", "recycle", "stop")
RUN = "history"


def live(store: Store, seed: int) -> int:
    """Go through a history; returns how many records were lent. AssertionError when it is wrong."""
    assert isinstance(store, Shared)
    # To look at it, and to let time pass, more is needed than a worker may.
    reached = store._redis.connection_pool.connection_kwargs
    redis = Redis(host=reached["host"], port=reached["port"], password="test")
    store.open(RUN)
    _load(store)
    chance = random.Random(seed)
    lives = dict.fromkeys("abcd", 0)
    holders = {name: _join(store, f"{name}:0") for name in lives}
    held: dict[str, set[str]] = {name: set() for name in lives}
    lent = 0
    for _ in range(STEPS):
        name = chance.choice("abcd")
        back = sorted(held[name])[: chance.randint(1, 3)]
        step = chance.random()
        if step < 0.5:
            order = Order([], [], chance.randint(1, 4), chance.choice(POLICIES))
            got = {key for key, _ in store.exchange(holders[name], "s", order).records}
            held[name] |= got
            lent += len(got)
        elif step < 0.9:
            used_up = step > 0.8
            order = Order([], back, 0, "wait") if used_up else Order(back, [], 0, "wait")
            store.exchange(holders[name], "s", order)
            held[name] -= set(back)
        else:
            # Its time is over; it wakes up, and can neither take nor give back nor live on.
            former, lost = holders[name], held[name]
            redis.zadd(f"fleet:data:{RUN}:holders", {former.name: 1})
            lives[name] += 1
            holders[name], held[name] = _join(store, f"{name}:{lives[name]}"), set()
            assert _is_fenced(store, former, Order(sorted(lost), [], 0, "wait"))
            assert _is_fenced(store, former, Order([], [], 1, "wait"))
        out = [key for mine in held.values() for key in mine]
        assert len(out) == len(set(out)), out
        assert _places(redis) == sorted(RECORDS)
    return lent


def _join(store: Store, name: str) -> Holder:
    return Holder(RUN, name, store.join(RUN, name, name, 60_000, {}))


def _load(store: Store) -> None:
    holder = _join(store, "loader")
    token = store.acquire(holder, "load s", 1000)
    store.put(holder, "s", token, 0, RECORDS)
    assert store.finish(holder, "s", token)
    store.leave(RUN, "loader", "loader", 0)


def _is_fenced(store: Store, holder: Holder, order: Order) -> bool:
    try:
        store.exchange(holder, "s", order)
    except Fenced:
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
