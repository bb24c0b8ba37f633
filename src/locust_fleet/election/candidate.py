"""Stand by until this master leads."""

from __future__ import annotations

import logging
import time
from typing import Any

import gevent

from locust_fleet.election.lease import LeaderLease
from locust_fleet.election.rules import Step, next_epoch, stand_by
from locust_fleet.errors import StoreUnavailable

# How often a standby reads the lease within a heartbeat: most of a handover is waiting for this.
READS_PER_HEARTBEAT = 5
# How long after its expected end a lease is read again.
EXPIRY_MARGIN_S = 0.01

logger = logging.getLogger(__name__)


class Candidate:
    """A master that stands by to become the leader."""

    def __init__(
        self, lease: LeaderLease, highest_epoch: int, timeout_s: float, heartbeat_s: float
    ) -> None:
        """``highest_epoch`` is the highest that is known outside Redis; 0 for none."""
        self._lease = lease
        self._standby = stand_by(lease.holder, timeout_s, highest_epoch)
        self._pause_s = heartbeat_s / READS_PER_HEARTBEAT
        # None until Redis was asked for the first time.
        self._redis_away: bool | None = None
        self._leader: str | None = None

    def wait(self) -> int:
        """Return the epoch of this master once it leads."""
        while True:
            epoch, pause_s = self._try_to_lead()
            if epoch is not None:
                return epoch
            gevent.sleep(pause_s)

    def readiness(self) -> tuple[bool, dict[str, Any]]:
        """Return whether this master stands by, and the details for /ready.

        A standby is ready while Redis answers, and names the address of the leader.
        """
        if self._redis_away is None:
            return False, {"role": "starting"}
        if self._redis_away:
            return False, {"role": "standby", "error": "Redis, which holds the lease, is away"}
        return True, {"role": "standby", "leader": self._leader}

    def _try_to_lead(self) -> tuple[int | None, float]:
        """Read the lease, and take it if it is time; returns the epoch, or how long to wait."""
        try:
            view = self._lease.poll()
            self._standby, step = self._standby.observe(view, time.monotonic())
            self._note(view.address)
            if step is Step.CAMPAIGN:
                least = next_epoch(self._standby.highest_epoch, clock_ms())
                return self._lease.acquire(least), self._pause_s
            # A lease may run out before the next read.
            left_s = view.left_s + EXPIRY_MARGIN_S if view.holder else self._pause_s
            return None, min(self._pause_s, left_s)
        except StoreUnavailable as error:
            self._standby, _ = self._standby.observe(None, time.monotonic())
            if not self._redis_away:
                self._redis_away = True
                logger.warning("waiting for Redis, which says who leads: %s", error)
            return None, self._pause_s

    def _note(self, leader: str | None) -> None:
        self._redis_away = False
        if leader and leader != self._leader:
            logger.info("standing by for the leader at %s", leader)
        self._leader = leader


def clock_ms() -> int:
    """Return the milliseconds since 1970, from which epochs are made."""
    return time.time_ns() // 1_000_000
