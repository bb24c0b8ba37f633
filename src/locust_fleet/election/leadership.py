"""Lead: renew the lease, and step down when a higher epoch is seen anywhere."""

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

# The exit code of a master that steps down; Docker starts it again, as a standby.
STEPPED_DOWN = 4

logger = logging.getLogger(__name__)


class Leadership:
    """The time in which this master leads; without a lease there is no other master."""

    def __init__(self, lease: LeaderLease | None, epoch: int, heartbeat_s: float) -> None:
        self.epoch = epoch
        # The epoch that is being written to Redis; the present one at all other times.
        self.pending_epoch = epoch
        # Called after the epoch was raised because Redis had lost its data.
        self.on_epoch_raised: Callable[[], None] = lambda: None
        self._lease = lease
        self._heartbeat_s = heartbeat_s
        # The highest epoch that workers and Postgres have reported.
        self._reported_epoch = 0
        self._wake = Event()
        self._redis_away = False

    def report_epoch(self, epoch: int) -> None:
        """Take note of an epoch that a worker or Postgres knows."""
        if epoch > max(self.epoch, self._reported_epoch):
            self._reported_epoch = epoch
            self._wake.set()

    def run_forever(self) -> None:
        """Renew the lease each heartbeat; never raises."""
        if self._lease is None:
            return
        while True:
            self._wake.wait(self._heartbeat_s)
            self._wake.clear()
            try:
                self._renew(self._lease)
            except Exception:  # whatever it is, the next heartbeat tries again; logged below
                logger.exception("renewing the lease failed; trying again")

    @property
    def has_lease(self) -> bool:
        """Whether other masters could lead as well."""
        return self._lease is not None

    def has_standby(self) -> bool:
        """Tell whether another master stands by; raises StoreUnavailable when Redis is away."""
        return self._lease is not None and self._lease.count_standbys() > 0

    def has_living_standby(self) -> bool:
        """Tell whether a standby is alive, not ending together with this master.

        Takes two heartbeats. Raises StoreUnavailable when Redis is away.
        """
        if not self.has_standby():
            return False
        # A standby that has ended is counted until its last sign of life is old.
        gevent.sleep(2 * self._heartbeat_s)
        return self._lease is not None and self._lease.count_standbys(self._heartbeat_s) > 0

    def release(self) -> None:
        """Give the lease up, so that a standby takes it; StoreUnavailable when Redis is away."""
        if self._lease is not None:
            self._lease.release(self.epoch)

    def _renew(self, lease: LeaderLease) -> None:
        try:
            redis_epoch = lease.renew(self.epoch)
            self._note(None)
        except StoreUnavailable as error:
            redis_epoch = None
            self._note(error)
        match lead(self.epoch, redis_epoch, self._reported_epoch):
            case Step.STEP_DOWN:
                higher = max(redis_epoch or 0, self._reported_epoch)
                step_down(LeadershipLost(f"epoch {self.epoch} ended with epoch {higher}"))
            case Step.RAISE_EPOCH:
                self._raise_epoch(lease)
            case _:
                pass

    def _raise_epoch(self, lease: LeaderLease) -> None:
        highest = max(self.epoch, self._reported_epoch)
        self.pending_epoch = higher = next_epoch(highest, clock_ms())
        if lease.raise_epoch(self.epoch, higher):
            logger.warning(
                "Redis has lost epoch %d; this master keeps leading under epoch %d",
                self.epoch,
                higher,
            )
            self.epoch = higher
            self.on_epoch_raised()

    def _note(self, error: StoreUnavailable | None) -> None:
        if error and not self._redis_away:
            logger.warning(
                "the lease cannot be renewed; this master keeps leading, because no other can"
                " take the lease: %s",
                error,
            )
        self._redis_away = error is not None


def step_down(error: LeadershipLost) -> None:
    """End this process at once: an orderly end would tell the new leader's workers to quit."""
    logger.critical("another master leads: %s; this one ends", error)
    logging.shutdown()
    os._exit(STEPPED_DOWN)
