"""Lead: renew the lease, and yield to a higher epoch wherever it is seen."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable

import gevent
from gevent.event import Event

from locust_fleet.election.candidate import clock_ms
from locust_fleet.election.lease import LeaderLease
from locust_fleet.election.rules import Step, lead, next_epoch
from locust_fleet.errors import LeadershipLost, StoreUnavailable

# The exit code of a master that found a later one; the engine starts it again, to stand by.
YIELDED = 4

logger = logging.getLogger(__name__)


class Leadership:
    """The time in which this master leads; without a lease, there is nobody to yield to."""

    def __init__(self, lease: LeaderLease | None, epoch: int, heartbeat_s: float) -> None:
        self.epoch = epoch
        # The epoch that Redis is being told, or the present one.
        self.rising = epoch
        # Called when Redis has lost what it knew.
        self.on_rise: Callable[[], None] = lambda: None
        self._lease = lease
        self._heartbeat_s = heartbeat_s
        # The highest epoch that workers and Postgres have spoken of.
        self._heard = 0
        self._alarm = Event()
        self._away = False

    def hear(self, epoch: int) -> None:
        """Note an epoch that a worker or Postgres knows."""
        if epoch > max(self.epoch, self._heard):
            self._heard = epoch
            self._alarm.set()

    def run_forever(self) -> None:
        """Renew the lease each heartbeat; never raises."""
        if self._lease is None:
            return
        while True:
            self._alarm.wait(self._heartbeat_s)
            self._alarm.clear()
            try:
                self._beat(self._lease)
            except Exception:  # whatever it is, the next beat tries again; logged below
                logger.exception("renewing the lease failed; trying again")

    @property
    def has_lease(self) -> bool:
        """Whether others could lead as well."""
        return self._lease is not None

    def has_standby(self) -> bool:
        """Whether another master waits; raises StoreUnavailable when nobody can tell."""
        return self._lease is not None and self._lease.standbys() > 0

    def has_living_standby(self) -> bool:
        """Whether one waits that was not told to end with this one; takes two heartbeats to say."""
        if not self.has_standby():
            return False
        # One that has ended is counted until its last look is old.
        gevent.sleep(2 * self._heartbeat_s)
        return self._lease is not None and self._lease.standbys(self._heartbeat_s) > 0

    def give_away(self) -> None:
        """Let the next master lead; raises StoreUnavailable when it cannot be told."""
        if self._lease is not None:
            self._lease.give_away(self.epoch)

    def _beat(self, lease: LeaderLease) -> None:
        try:
            in_redis = lease.renew(self.epoch)
            self._note(None)
        except StoreUnavailable as error:
            in_redis = None
            self._note(error)
        match lead(self.epoch, in_redis, self._heard):
            case Step.YIELD:
                higher = max(in_redis or 0, self._heard)
                step_down(LeadershipLost(f"epoch {self.epoch} is over since {higher}"))
            case Step.RISE:
                self._rise(lease)
            case _:
                pass

    def _rise(self, lease: LeaderLease) -> None:
        self.rising = to = next_epoch(max(self.epoch, self._heard), clock_ms())
        if lease.rise(self.epoch, to):
            logger.warning("Redis knew less than epoch %d; leads on under %d", self.epoch, to)
            self.epoch = to
            self.on_rise()

    def _note(self, error: StoreUnavailable | None) -> None:
        if error and not self._away:
            logger.warning("the lease cannot be renewed; leads on, as nobody else can: %s", error)
        self._away = error is not None


def step_down(error: LeadershipLost) -> None:
    """End this process at once: an orderly end would tell the other one's workers to quit."""
    logger.critical("another master leads: %s; this one ends", error)
    logging.shutdown()
    os._exit(YIELDED)
