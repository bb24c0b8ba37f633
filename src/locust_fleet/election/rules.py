"""Decide what a master does next. Pure: candidate.py and leadership.py read Redis and act.

A leader keeps leading whatever happens to Redis, and steps down only for a higher epoch. A lease
that is missing may therefore belong to a leader that could not renew it, or may have been lost with
the data of Redis. A standby that saw Redis away, or saw its epoch go down, gives the leader one
lease timeout to come back before it asks for the lease.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum


class Step(Enum):
    """What a master does next."""

    STAND_BY = "stand by"  # wait, and read the lease again
    CAMPAIGN = "campaign"  # nobody leads: ask for the lease
    LEAD = "lead"  # keep leading
    RAISE_EPOCH = "raise epoch"  # keep leading under a higher epoch: Redis has lost the present one
    STEP_DOWN = "step down"  # another master leads: end, and change nothing


@dataclass(frozen=True)
class LeaseView:
    """What Redis says at one moment: who holds the lease (None for nobody), the highest epoch."""

    holder: str | None
    epoch: int


@dataclass(frozen=True)
class Standby:
    """A master that stands by, and what it has seen so far; times are seconds of one clock."""

    name: str
    # How long a lease is valid.
    timeout_s: float
    # The highest epoch that it knows of, and the epoch that Redis had at the last look.
    highest_epoch: int
    redis_epoch: int
    # Until then a missing lease is left to the former leader.
    reserved_until: float = -math.inf

    def observe(self, view: LeaseView | None, now: float) -> tuple[Standby, Step]:
        """Return the standby after a look at Redis, and its next step; None: Redis is away."""
        if view is None:
            return replace(self, reserved_until=now + self.timeout_s), Step.STAND_BY
        redis_lost_data = view.epoch < self.redis_epoch
        after = replace(
            self,
            highest_epoch=max(self.highest_epoch, view.epoch),
            redis_epoch=view.epoch,
            reserved_until=now + self.timeout_s if redis_lost_data else self.reserved_until,
        )
        # Held by the former process of this container.
        own = view.holder == self.name
        free = view.holder is None and now >= after.reserved_until
        return after, Step.CAMPAIGN if own or free else Step.STAND_BY


def stand_by(name: str, timeout_s: float, highest_epoch: int) -> Standby:
    """Return a master that has just started; the epoch is the highest known outside Redis."""
    return Standby(name, timeout_s, highest_epoch, highest_epoch)


def lead(own_epoch: int, redis_epoch: int | None, reported_epoch: int) -> Step:
    """Return what a leader does next.

    ``redis_epoch`` is the highest epoch in Redis, None while Redis is away. ``reported_epoch`` is
    the highest that workers and Postgres know; if Redis answers with a lower one, its data was
    lost.
    """
    if redis_epoch is None:
        return Step.STEP_DOWN if reported_epoch > own_epoch else Step.LEAD
    if redis_epoch > own_epoch:
        return Step.STEP_DOWN
    lost = redis_epoch < own_epoch or reported_epoch > own_epoch
    return Step.RAISE_EPOCH if lost else Step.LEAD


def next_epoch(highest_epoch: int, clock_ms: int) -> int:
    """Return the least epoch to lead under.

    It is above the highest known one, and at least the clock (milliseconds since 1970), so that
    epochs keep rising when every store has lost them.
    """
    return max(highest_epoch + 1, clock_ms)
