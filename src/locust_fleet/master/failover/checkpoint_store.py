"""Store in Redis what the next leader needs to continue a run.

Redis accepts a checkpoint of the latest epoch only, so a former leader that wakes up overwrites
nothing.
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

# Increase it when the content changes its meaning: a master cannot read another format, and the run
# of such a checkpoint is lost.
FORMAT = 1
# Redis may use 256 MB, and holds two checkpoints while one replaces the other.
MOST_BYTES = 32 << 20
REDIS_TIMEOUT_S = 2.0
# The level of zlib that takes the least time.
FASTEST_LEVEL = 1
# What a checkpoint that is too large leaves out, in this order: no result depends on it.
DISPENSABLE = ("history", "exceptions", "statistics")

# ARGV: own epoch, data. Returns the highest epoch; the data is saved if that is the own one.
SAVE = """
local highest = redis.call('HGET', KEYS[1], 'epoch') or '0'
if highest == ARGV[1] then redis.call('HSET', KEYS[1], 'data', ARGV[2]) end
return highest
"""

# ARGV: own epoch, how many masters may fail with a checkpoint. Returns the data of a checkpoint
# with which so many have failed, and moves it to the field "set aside"; false before.
NOTE_FAILURE = """
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return false end
if redis.call('HINCRBY', KEYS[1], 'ended', 1) < tonumber(ARGV[2]) then return false end
local data = redis.call('HGET', KEYS[1], 'data')
if data then redis.call('HSET', KEYS[1], 'set aside', data) end
redis.call('HDEL', KEYS[1], 'data', 'ended')
return data
"""
# One master may fail for another reason than its checkpoint.
MOST_ENDED = 2
# Its kind among the dead letters.
KIND = "checkpoint"

State = Mapping[str, Any]
PackedParts = dict[str, bytes]

logger = logging.getLogger(__name__)


class CheckpointStore:
    """Loads the previous leader's checkpoint, and saves this one's."""

    def __init__(
        self,
        settings: RedisSettings,
        leadership: Leadership,
        set_aside: Callable[[str, bytes, str], None] = lambda *_: None,
    ) -> None:
        """``set_aside`` is called with kind, bytes and reason for a checkpoint that is unusable."""
        self._redis: Redis = redis_client(settings, REDIS_TIMEOUT_S)
        self._leadership = leadership
        self._set_aside = set_aside

    def load(self) -> State | None:
        """Return the last checkpoint; None without a readable one.

        Raises StoreUnavailable when Redis does not answer.
        """
        try:
            packed: Any = self._redis.hget(CHECKPOINT_KEY, "data")
        except RedisError as error:
            raise StoreUnavailable(f"Redis does not answer: {error}") from error
        if packed is None:
            return None
        state = unpack(packed)
        if state is None:
            self._set_aside(KIND, packed, "it is damaged or has another format")
        return state

    def note_failure(self, error: BaseException) -> None:
        """Note that this master fails with the last checkpoint; set it aside after MOST_ENDED.

        Never raises.
        """
        try:
            packed: Any = self._redis.eval(
                NOTE_FAILURE, 1, CHECKPOINT_KEY, str(self._leadership.epoch), str(MOST_ENDED)
            )
        except RedisError as failure:
            logger.error("the master cannot note in Redis that it failed to resume: %s", failure)
            return
        if packed is not None:
            why = f"{MOST_ENDED} masters failed to resume its run: {error!r}"
            self._set_aside(KIND, packed, why)

    def clear_failures(self) -> None:
        """Note that a master has resumed the run of the last checkpoint. Never raises."""
        try:
            self._redis.hdel(CHECKPOINT_KEY, "ended")
        except RedisError as error:
            logger.warning("the master cannot note in Redis that it resumed the run: %s", error)

    def save(self, state: State) -> None:
        """Replace the checkpoint.

        Raises LeadershipLost when there is a later leader, StoreUnavailable when Redis is
        unavailable or has lost its data.
        """
        parts = freeze(state)
        # In a thread, because a large one takes long to compress, and the event loop must not wait.
        packed = gevent.get_hub().threadpool.apply(pack, (parts, MOST_BYTES))
        epoch = self._leadership.epoch
        try:
            highest = int(self._redis.eval(SAVE, 1, CHECKPOINT_KEY, str(epoch), packed))
        except RedisError as error:
            raise StoreUnavailable(f"Redis does not answer: {error}") from error
        if highest > max(epoch, self._leadership.pending_epoch):
            raise LeadershipLost(f"epoch {epoch} has ended: Redis has epoch {highest}")
        if highest != epoch:
            raise StoreUnavailable(f"Redis has lost epoch {epoch}; the master restores it")


def freeze(state: State) -> PackedParts:
    """Return the parts of a state as msgpack; later changes do not affect them."""
    return {part: msgpack.packb(value) for part, value in state.items()}


def pack(parts: PackedParts, most_bytes: int) -> bytes:
    """Return a state in its stored form, without dispensable parts if it exceeds ``most_bytes``."""
    packed = _pack(parts)
    for part in DISPENSABLE:
        if len(packed) <= most_bytes:
            break
        logger.warning(
            "a checkpoint of %d bytes is too large; the master leaves out: %s", len(packed), part
        )
        parts = {**parts, part: msgpack.packb(None)}
        packed = _pack(parts)
    return packed


def unpack(packed: bytes) -> State | None:
    """Return the state of a stored form; None if it is damaged or has another format."""
    try:
        version, parts = _unpacked(zlib.decompress(packed))
        if version != FORMAT:
            logger.error(
                "the checkpoint has format %s, and this master reads %d; its run is lost",
                *(version, FORMAT),
            )
            return None
        return {part: _unpacked(value) for part, value in parts.items()}
    except Exception as error:  # damaged bytes may raise anything
        logger.error("the master cannot read the checkpoint; its run is lost: %s", error)
        return None


def _pack(parts: PackedParts) -> bytes:
    return zlib.compress(msgpack.packb((FORMAT, parts)), FASTEST_LEVEL)


def _unpacked(packed: bytes) -> Any:
    return msgpack.unpackb(packed, strict_map_key=False)
