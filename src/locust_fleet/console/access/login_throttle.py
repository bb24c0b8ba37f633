"""Slow down whoever guesses passwords: the more attempts have failed, the longer the pause.

Attempts are counted per account and per address. An attempt counts before its password is checked,
and no longer counts when the password was right, so a hundred attempts at once get no free guess.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from redis import Redis
from redis.exceptions import RedisError

# The pause (s) before the next attempt, by the number of attempts so far; the last one repeats.
ACCOUNT_PAUSES_S = (0, 0, 0, 1, 2, 4, 8, 16, 32, 60)
# One address can be a whole office, or everybody where Docker's proxy hides addresses. So there are
# more attempts before the first pause, and no pause is long enough for one person to lock out all.
ADDRESS_PAUSES_S = (0,) * 10 + (1, 2, 4)
# Failures are forgotten after a quarter of an hour without another attempt.
FORGET_AFTER_S = 900
MOST_COUNTERS = 10_000

# KEYS: the counters. ARGV: how long a counter is kept (ms), then for each one its pauses (ms),
# joined by commas. Returns the rest of the pause (ms); at 0 the attempt may go on and is counted.
# How long a counter still lives tells when it was last raised.
ATTEMPT = """
local left = 0
for i, key in ipairs(KEYS) do
  local count, pauses = tonumber(redis.call('GET', key) or 0), {}
  for pause in string.gmatch(ARGV[i + 1], '%d+') do pauses[#pauses + 1] = tonumber(pause) end
  local since = tonumber(ARGV[1]) - redis.call('PTTL', key)
  if count > 0 then left = math.max(left, pauses[math.min(count + 1, #pauses)] - since) end
end
if left > 0 then return left end
for _, key in ipairs(KEYS) do
  redis.call('INCR', key)
  redis.call('PEXPIRE', key, ARGV[1])
end
return 0
"""

logger = logging.getLogger(__name__)


def pause_s(attempts: int, pauses_s: Sequence[int]) -> int:
    """Return how long to wait after so many attempts."""
    return pauses_s[min(attempts, len(pauses_s) - 1)]


@dataclass
class _Count:
    attempts: int
    at: float


class FailedLogins:
    """Counters of this process alone, in use while Redis is away."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: dict[str, _Count] = {}

    def attempt(self, keys: Mapping[str, Sequence[int]]) -> float:
        """Count an attempt unless it comes too early; returns how long to wait (s), 0 for not."""
        now = self._clock()
        self._forget(now)
        left = 0.0
        for key, pauses_s in keys.items():
            count = self._counts.get(key)
            if count:
                left = max(left, pause_s(count.attempts, pauses_s) - (now - count.at))
        if left > 0:
            return left
        for key in keys:
            count = self._counts.get(key)
            self._counts[key] = _Count(count.attempts + 1 if count else 1, now)
        return 0.0

    def clear(self, key: str) -> None:
        """Forget a counter."""
        self._counts.pop(key, None)

    def uncount(self, key: str) -> None:
        """Count one attempt less."""
        count = self._counts.get(key)
        if count:
            count.attempts -= 1

    def _forget(self, now: float) -> None:
        if len(self._counts) >= MOST_COUNTERS:
            oldest = sorted(self._counts, key=lambda key: self._counts[key].at)
            for key in oldest[: MOST_COUNTERS // 2]:
                del self._counts[key]
        for key in [key for key, count in self._counts.items() if now - count.at > FORGET_AFTER_S]:
            del self._counts[key]


class LoginThrottle:
    """Counters that all processes share through Redis."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._script = redis.register_script(ATTEMPT)
        self._memory = FailedLogins()

    def attempt(self, name: str, address: str) -> float:
        """Count an attempt to sign in unless it comes too early.

        Returns the seconds left to wait; 0 means that the password may be checked.
        """
        keys = {_account(name): ACCOUNT_PAUSES_S, _address(address): ADDRESS_PAUSES_S}
        try:
            pauses = [",".join(str(pause * 1000) for pause in pauses) for pauses in keys.values()]
            left_ms = self._script(keys=list(keys), args=[FORGET_AFTER_S * 1000, *pauses])
            return float(left_ms) / 1000
        except RedisError as error:
            logger.warning("failed sign-ins are counted in memory: %s", error)
            return self._memory.attempt(keys)

    def succeeded(self, name: str, address: str) -> None:
        """Forget the account's failures, and this attempt of the address."""
        self._memory.clear(_account(name))
        self._memory.uncount(_address(address))
        try:
            self._redis.delete(_account(name))
            if self._redis.exists(_address(address)):
                self._redis.decr(_address(address))
        except RedisError as error:
            logger.warning("Redis does not know of a successful sign-in: %s", error)


def _account(name: str) -> str:
    # Ada and ada can be two accounts, but share a counter: a guesser would try both.
    return _key(f"account:{name.lower()}")


def _address(address: str) -> str:
    return _key(f"address:{address}")


def _key(text: str) -> str:
    """Return a Redis key. The text is hashed: some people type a password into the name field."""
    return f"fleet:signin:{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()}"
