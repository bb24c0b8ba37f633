"""Keep in Redis what the next master needs to go on with a run.

Redis refuses the checkpoint of any but the latest epoch, so that a master which was away and wakes
up overwrites nothing.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import gevent
import msgpack
from redis import Redis
from redis.exceptions import RedisError

from locust_fleet.election.leadership import Leadership
from locust_fleet.election.lease import CHECKPOINT_KEY
from locust_fleet.errors import LeadershipLost, StoreUnavailable
from locust_fleet.runtime.redis import redis_client
from locust_fleet.settings.stores import RedisSettings

# Raised when its content changes its meaning; another one is not understood, and its run is lost.
FORMAT = 1
# Redis may use 256 MB by itself, and holds two of them while one is replaced.
MOST_BYTES = 32 << 20
PATIENCE_S = 2.0
# The level of zlib that takes the least time.
QUICK = 1
# What can be left out where it is too much, in this order: nothing of it is in the results.
DISPENSABLE = ("history", "exceptions", "statistics")

# ARGV: own epoch, data. Returns the highest epoch; saved if that is one's own.
SAVE = """
local highest = redis.call('HGET', KEYS[1], 'epoch') or '0'
if highest == ARGV[1] then redis.call('HSET', KEYS[1], 'data', ARGV[2]) end
return highest
"""

# ARGV: own epoch, how many masters a checkpoint may end. Returns the one that has ended so many; it
# is kept under another name until the next one.
BLAME = """
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return false end
if redis.call('HINCRBY', KEYS[1], 'ended', 1) < tonumber(ARGV[2]) then return false end
local data = redis.call('HGET', KEYS[1], 'data')
if data then redis.call('HSET', KEYS[1], 'set aside', data) end
redis.call('HDEL', KEYS[1], 'data', 'ended')
return data
"""
# The first master may have ended for another reason.
MOST_ENDED = 2
# What it is called where it is set aside.
KIND = "checkpoint"

State = Mapping[str, Any]
Parts = dict[str, bytes]

logger = logging.getLogger(__name__)


class CheckpointStore:
    """The checkpoint of this reign, and before that of the one before."""

    def __init__(
        self,
        settings: RedisSettings,
        reign: Leadership,
        set_aside: Callable[[str, bytes, str], None] = lambda *_: None,
    ) -> None:
        """``set_aside`` keeps what no master can use: its kind, the bytes, and why."""
        self._redis: Redis = redis_client(settings, PATIENCE_S)
        self._reign = reign
        self._set_aside = set_aside

    def load(self) -> State | None:
        """Return the last checkpoint; raises StoreUnavailable when Redis does not answer."""
        try:
            packed: Any = self._redis.hget(CHECKPOINT_KEY, "data")
        except RedisError as error:
            raise StoreUnavailable(f"Redis does not answer: {error}") from error
        if packed is None:
            return None
        state = unpack(packed)
        if state is None:
            self._set_aside(KIND, packed, "it is damaged, or of another version")
        return state

    def blame(self, error: BaseException) -> None:
        """Note that the last checkpoint ends this master; set it aside if it is not the first.

        Never raises.
        """
        try:
            packed: Any = self._redis.eval(
                BLAME, 1, CHECKPOINT_KEY, str(self._reign.epoch), str(MOST_ENDED)
            )
        except RedisError as failure:
            logger.error("Redis cannot be told that a checkpoint is of no use: %s", failure)
            return
        if packed is not None:
            why = f"it ended {MOST_ENDED} masters that took over its run: {error!r}"
            self._set_aside(KIND, packed, why)

    def absolve(self) -> None:
        """Note that a master took over a run from the last checkpoint. Never raises."""
        try:
            self._redis.hdel(CHECKPOINT_KEY, "ended")
        except RedisError as error:
            logger.warning("Redis cannot be told that a checkpoint is of use: %s", error)

    def save(self, state: State) -> None:
        """Replace the checkpoint.

        Raises LeadershipLost when there is a later master, StoreUnavailable when Redis is away or
        has lost what it knew.
        """
        parts = freeze(state)
        # Large ones take long to compress; meanwhile Locust's loop goes on.
        packed = gevent.get_hub().threadpool.apply(pack, (parts, MOST_BYTES))
        epoch = self._reign.epoch
        try:
            highest = int(self._redis.eval(SAVE, 1, CHECKPOINT_KEY, str(epoch), packed))
        except RedisError as error:
            raise StoreUnavailable(f"Redis does not answer: {error}") from error
        if highest > max(epoch, self._reign.pending_epoch):
            raise LeadershipLost(f"epoch {epoch} ended with epoch {highest}")
        if highest != epoch:
            raise StoreUnavailable(f"Redis has forgotten epoch {epoch}; it is told again")


def freeze(state: State) -> Parts:
    """Return the parts of a state as they are now, whatever changes later."""
    return {part: msgpack.packb(value) for part, value in state.items()}


def pack(parts: Parts, most_bytes: int) -> bytes:
    """Return a state in its stored form; what is dispensable is left out where it is too much."""
    packed = _pack(parts)
    for part in DISPENSABLE:
        if len(packed) <= most_bytes:
            break
        logger.warning("a checkpoint of %d bytes is too large; left out: %s", len(packed), part)
        parts = {**parts, part: msgpack.packb(None)}
        packed = _pack(parts)
    return packed


def unpack(packed: bytes) -> State | None:
    """Return the state of a stored form; None for one of another version, or a damaged one."""
    try:
        version, parts = _unpacked(zlib.decompress(packed))
        if version != FORMAT:
            logger.error("the checkpoint is of another version, so its run is lost")
            return None
        return {part: _unpacked(value) for part, value in parts.items()}
    except Exception as error:  # whatever any bytes make of it
        logger.error("the checkpoint cannot be read, so its run is lost: %s", error)
        return None


def _pack(parts: Parts) -> bytes:
    return zlib.compress(msgpack.packb((FORMAT, parts)), QUICK)


def _unpacked(packed: bytes) -> Any:
    return msgpack.unpackb(packed, strict_map_key=False)
