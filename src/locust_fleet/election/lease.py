"""The lease in Redis: who leads, under which epoch, and who stands by.

Each change is one script, which Redis runs as a whole. Taking the lease raises the epoch: while
the highest epoch is still a master's own, no other master has led since.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from locust_fleet.election.rules import LeaseView
from locust_fleet.errors import StoreUnavailable
from locust_fleet.runtime.redis import redis_client
from locust_fleet.settings.stores import RedisSettings

# KEYS of every script, in this order. Field "epoch" of the checkpoint is the highest epoch ever.
LEASE_KEY = "fleet:lease"
CHECKPOINT_KEY = "fleet:checkpoint"
STANDBYS_KEY = "fleet:standbys"
KEYS = (LEASE_KEY, CHECKPOINT_KEY, STANDBYS_KEY)

LONGEST_REDIS_TIMEOUT_S = 5.0

# Milliseconds since 1970.
NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""
# ARGV: name, priority, milliseconds that this sign of life is valid. Returns the lease, how many
# milliseconds are left of it, and the highest epoch.
POLL = f"""{NOW}
redis.call('HSET', KEYS[3], ARGV[1], cjson.encode({{tonumber(ARGV[2]), now + ARGV[3]}}))
local epoch = redis.call('HGET', KEYS[2], 'epoch')
return {{redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1]), epoch}}
"""
# ARGV: name, priority, milliseconds, least epoch, address. Returns the epoch; false while another
# master holds the lease, and while one of a higher priority stands by.
ACQUIRE = f"""{NOW}
local held = redis.call('GET', KEYS[1])
if held and cjson.decode(held).holder ~= ARGV[1] then return false end
local standbys = redis.call('HGETALL', KEYS[3])
for i = 1, #standbys, 2 do
    local priority, until_ms = unpack(cjson.decode(standbys[i + 1]))
    if until_ms < now then
        redis.call('HDEL', KEYS[3], standbys[i])
    elseif not held and standbys[i] ~= ARGV[1] and priority > tonumber(ARGV[2]) then
        return false
    end
end
local last = tonumber(redis.call('HGET', KEYS[2], 'epoch') or '0')
local epoch = math.max(last + 1, tonumber(ARGV[4]))
local lease = cjson.encode({{epoch = epoch, holder = ARGV[1], address = ARGV[5]}})
redis.call('SET', KEYS[1], lease, 'PX', ARGV[3])
-- Lua would write a number of this size as 1.76e+12.
epoch = string.format('%.0f', epoch)
redis.call('HSET', KEYS[2], 'epoch', epoch)
redis.call('HDEL', KEYS[3], ARGV[1])
return epoch
"""
# ARGV: own epoch, lease, milliseconds. Returns the highest epoch; renewed if that is the own one.
RENEW = """
local highest = redis.call('HGET', KEYS[2], 'epoch') or '0'
if highest == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return highest
"""
# ARGV: own epoch, new epoch, lease, milliseconds. Returns 0 when Redis knows a higher epoch than
# the own one.
RAISE_EPOCH = """
if tonumber(redis.call('HGET', KEYS[2], 'epoch') or '0') > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
redis.call('HSET', KEYS[2], 'epoch', ARGV[2])
return 1
"""
# ARGV: own epoch.
RELEASE = """
if redis.call('HGET', KEYS[2], 'epoch') == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""
# ARGV: milliseconds for which a sign of life must still be valid.
COUNT_STANDBYS = f"""{NOW}
local count = 0
for _, standby in ipairs(redis.call('HVALS', KEYS[3])) do
    if cjson.decode(standby)[2] >= now + ARGV[1] then count = count + 1 end
end
return count
"""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LeaseDetails(LeaseView):
    """The view that masters decide by, with where the leader is and how long its lease is valid."""

    address: str | None
    left_s: float


class LeaderLease:
    """The lease as one master acquires, renews and releases it.

    Each method raises StoreUnavailable when Redis does not answer.
    """

    def __init__(
        self,
        settings: RedisSettings,
        holder: str,
        find_address: Callable[[], str],
        priority: int,
        timeout_s: float,
    ) -> None:
        """Act for the master ``holder``; ``find_address`` returns HOST:PORT for workers.

        The address is asked for when the master leads. The lease is valid for ``timeout_s``.
        """
        # An answer that takes longer than the lease is valid is of no use.
        self._redis: Redis = redis_client(settings, min(timeout_s / 2, LONGEST_REDIS_TIMEOUT_S))
        self.holder = holder
        self._find_address, self._address = find_address, ""
        self._priority = str(priority)
        self._valid_ms = str(round(timeout_s * 1000))

    def poll(self) -> LeaseDetails:
        """Return who leads, and record that this master stands by."""
        text, left_ms, epoch = self._run(POLL, self.holder, self._priority, self._valid_ms)
        lease = json.loads(text) if text else {"holder": None, "address": None}
        left_s = max(left_ms, 0) / 1000
        return LeaseDetails(lease["holder"], int(epoch or 0), lease["address"], left_s)

    def acquire(self, least_epoch: int) -> int | None:
        """Take the lease and return the epoch.

        None while another master holds it, or one of a higher priority stands by.
        """
        try:
            self._address = self._find_address()
        except OSError as error:
            raise StoreUnavailable(f"there is no route to Redis: {error}") from error
        epoch = self._run(
            ACQUIRE,
            self.holder,
            self._priority,
            self._valid_ms,
            str(least_epoch),
            self._address,
        )
        return int(epoch) if epoch else None

    def renew(self, epoch: int) -> int:
        """Renew the lease unless there is a higher epoch; returns the highest that Redis knows."""
        return int(self._run(RENEW, str(epoch), self._json(epoch), self._valid_ms))

    def raise_epoch(self, epoch: int, higher: int) -> bool:
        """Hold the lease under a higher epoch; False when Redis knows one above the present."""
        return bool(
            self._run(RAISE_EPOCH, str(epoch), str(higher), self._json(higher), self._valid_ms)
        )

    def release(self, epoch: int) -> None:
        """Give the lease up, so that a standby can take it at once."""
        self._run(RELEASE, str(epoch))

    def count_standbys(self, within_s: float | None = None) -> int:
        """Return how many masters stand by; ``within_s`` counts those seen that recently."""
        left_ms = 0 if within_s is None else int(self._valid_ms) - round(within_s * 1000)
        return int(self._run(COUNT_STANDBYS, str(left_ms)))

    def _json(self, epoch: int) -> str:
        return json.dumps({"epoch": epoch, "holder": self.holder, "address": self._address})

    def _run(self, script: str, *arguments: str) -> Any:
        try:
            return self._redis.eval(script, len(KEYS), *KEYS, *arguments)
        except RedisError as error:
            raise StoreUnavailable(f"Redis does not answer: {error}") from error


def read_lease(redis: Redis, field: str) -> str | None:
    """Return the leader's "holder" (host name) or "address" (HOST:PORT); never raises.

    None when nobody leads or Redis does not answer.
    """
    try:
        lease: Any = redis.get(LEASE_KEY)
        value = json.loads(lease)[field] if lease else None
    except (RedisError, ValueError, KeyError, TypeError) as error:
        logger.debug("the lease cannot be read: %s", error)
        return None
    return value if isinstance(value, str) else None
