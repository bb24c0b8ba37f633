"""The lease in Redis: who leads, under which epoch, and who stands by.

Everything that reads and changes is one script, which Redis carries out as a whole. Whoever takes
the lease raises the epoch, so where the epoch is still one's own, nobody else has led since.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from locust_fleet.election.rules import Sight
from locust_fleet.errors import StoreUnavailable
from locust_fleet.runtime.redis import redis_client
from locust_fleet.settings.stores import RedisSettings

LEASE, STANDBYS = "fleet:lease", "fleet:standbys"
# What the leader keeps for the next one; its field "epoch" is the highest that ever was.
MEMORY = "fleet:checkpoint"

# In milliseconds since 1970.
NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""
# ARGV: name, priority, milliseconds that this is valid.
LOOK = f"""{NOW}
redis.call('HSET', KEYS[3], ARGV[1], cjson.encode({{tonumber(ARGV[2]), now + ARGV[3]}}))
local epoch = redis.call('HGET', KEYS[2], 'epoch')
return {{redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1]), epoch}}
"""
# ARGV: name, priority, milliseconds, least epoch, rest of the lease. Not while somebody else has
# it, nor where one of a higher priority stands by.
TAKE = f"""{NOW}
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
local epoch = string.format('%.0f', math.max(last + 1, tonumber(ARGV[4])))
redis.call('SET', KEYS[1], '{{"epoch": ' .. epoch .. ', ' .. ARGV[5], 'PX', ARGV[3])
redis.call('HSET', KEYS[2], 'epoch', epoch)
redis.call('HDEL', KEYS[3], ARGV[1])
return epoch
"""
# ARGV: own epoch, lease, milliseconds. Returns the highest epoch; renewed if that is one's own.
RENEW = """
local highest = redis.call('HGET', KEYS[2], 'epoch') or '0'
if highest == ARGV[1] then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return highest
"""
# ARGV: own epoch, new epoch, lease, milliseconds. Only where Redis knows of no higher one.
RISE = """
if tonumber(redis.call('HGET', KEYS[2], 'epoch') or '0') > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
redis.call('HSET', KEYS[2], 'epoch', ARGV[2])
return 1
"""
# ARGV: own epoch.
GIVE_AWAY = """
if redis.call('HGET', KEYS[2], 'epoch') == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""
# ARGV: milliseconds for which what they said must still be valid.
COUNT = f"""{NOW}
local count = 0
for _, standby in ipairs(redis.call('HVALS', KEYS[3])) do
    if cjson.decode(standby)[2] >= now + ARGV[1] then count = count + 1 end
end
return count
"""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Seen(Sight):
    """A look at Redis with what nobody decides by: where the leader is, and the lease's rest."""

    address: str | None
    left_s: float


class LeaderLease:
    """The lease as one master asks for it, holds it and gives it away.

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
        """Speak for a master; where workers find it is asked when it leads."""
        # An answer that takes longer than the lease is valid is worth nothing.
        self._redis: Redis = redis_client(settings, min(timeout_s / 2, 5.0))
        self.holder = holder
        self._find_address, self._address = find_address, ""
        self._priority = str(priority)
        self._valid_ms = str(round(timeout_s * 1000))

    def look(self) -> Seen:
        """Return who leads; remembers that this one stands by."""
        text, left_ms, epoch = self._run(LOOK, self.holder, self._priority, self._valid_ms)
        lease = json.loads(text) if text else {"holder": None, "address": None}
        left_s = max(left_ms, 0) / 1000
        return Seen(lease["holder"], int(epoch or 0), lease["address"], left_s)

    def take(self, least_epoch: int) -> int | None:
        """Take the lease if nobody else has it or is preferred; returns the epoch then."""
        try:
            self._address = self._find_address()
        except OSError as error:
            raise StoreUnavailable(f"the way to Redis is unknown: {error}") from error
        rest = self._text(0).partition(", ")[2]
        epoch = self._run(TAKE, self.holder, self._priority, self._valid_ms, str(least_epoch), rest)
        return int(epoch) if epoch else None

    def renew(self, epoch: int) -> int:
        """Renew the lease unless there is a higher epoch; returns the highest that Redis knows."""
        return int(self._run(RENEW, str(epoch), self._text(epoch), self._valid_ms))

    def rise(self, epoch: int, to: int) -> bool:
        """Hold the lease under a higher epoch, unless there is one higher than the present one."""
        return bool(self._run(RISE, str(epoch), str(to), self._text(to), self._valid_ms))

    def give_away(self, epoch: int) -> None:
        """Let the next one take the lease at once."""
        self._run(GIVE_AWAY, str(epoch))

    def standbys(self, within_s: float | None = None) -> int:
        """Return how many masters stand by, or of those, how many have looked within some time."""
        left_ms = 0 if within_s is None else int(self._valid_ms) - round(within_s * 1000)
        return int(self._run(COUNT, str(left_ms)))

    def _text(self, epoch: int) -> str:
        return json.dumps({"epoch": epoch, "holder": self.holder, "address": self._address})

    def _run(self, script: str, *arguments: str) -> Any:
        try:
            return self._redis.eval(script, 3, LEASE, MEMORY, STANDBYS, *arguments)
        except RedisError as error:
            raise StoreUnavailable(f"Redis does not answer: {error}") from error


def read_lease(redis: Redis, field: str) -> str | None:
    """Return what the lease says of the leader, its "holder" or "address"; never raises.

    None where nobody leads or Redis does not say.
    """
    try:
        lease: Any = redis.get(LEASE)
        value = json.loads(lease)[field] if lease else None
    except (RedisError, ValueError, KeyError, TypeError) as error:
        logger.debug("no lease can be read: %s", error)
        return None
    return value if isinstance(value, str) else None
