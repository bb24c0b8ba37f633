"""Decide what a master does next. Pure: candidate.py and leadership.py look and act.

A leader goes on whatever happens to Redis, and yields only to a higher epoch. So nobody may take
a lease that has run out only because it could not be renewed, or was forgotten: whoever saw that
Redis was away, or knows less than before, lets the leader come back first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum


class Step(Enum):
    """What a master does next."""

    WAIT = "wait"  # stand by, and look again
    CAMPAIGN = "campaign"  # nobody leads: ask for the lease
    LEAD = "lead"  # go on
    RISE = "rise"  # go on under a higher epoch: Redis knows less than was known before
    YIELD = "yield"  # another one leads: end, and touch nothing


@dataclass(frozen=True)
class Sight:
    """What one look at Redis showed: who holds the lease, if anybody, and the highest epoch."""

    holder: str | None
    epoch: int


@dataclass(frozen=True)
class Standby:
    """A master that stands by, and what it has seen so far; times in seconds of one clock."""

    me: str
    # How long a lease is valid.
    timeout_s: float
    # The highest epoch that it has heard of, and the one that Redis had at last.
    known: int
    in_redis: int
    # Until then the lease is the leader's, even if nobody holds it.
    kept_until: float = -math.inf

    def look(self, sight: Sight | None, now: float) -> tuple[Standby, Step]:
        """Return what it is after a look at Redis, and does next; None is a Redis that is away."""
        if sight is None:
            return replace(self, kept_until=now + self.timeout_s), Step.WAIT
        lost = sight.epoch < self.in_redis
        seen = replace(
            self,
            known=max(self.known, sight.epoch),
            in_redis=sight.epoch,
            kept_until=now + self.timeout_s if lost else self.kept_until,
        )
        # Of the process before this one in the same container.
        own = sight.holder == self.me
        free = sight.holder is None and now >= seen.kept_until
        return seen, Step.CAMPAIGN if own or free else Step.WAIT


def stand_by(me: str, timeout_s: float, known: int) -> Standby:
    """Return a master that has just started, and what others than Redis know."""
    return Standby(me, timeout_s, known, known)


def lead(mine: int, in_redis: int | None, elsewhere: int) -> Step:
    """Say what a leader does that knows the highest epoch in Redis, and the highest elsewhere.

    ``in_redis`` is None while Redis is away. Elsewhere is what workers and Postgres say: if Redis
    answers and does not know of it, its data was lost since.
    """
    if in_redis is None:
        return Step.YIELD if elsewhere > mine else Step.LEAD
    if in_redis > mine:
        return Step.YIELD
    return Step.RISE if in_redis < mine or elsewhere > mine else Step.LEAD


def next_epoch(known: int, clock_ms: int) -> int:
    """Return the least epoch to take; the clock keeps epochs rising where all else is lost."""
    return max(known + 1, clock_ms)
