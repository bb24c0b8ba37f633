"""Stand by until this master leads."""

from __future__ import annotations

import logging
import time
from typing import Any

import gevent

from locust_fleet.election.lease import LeaderLease
from locust_fleet.election.rules import Step, next_epoch, stand_by
from locust_fleet.errors import StoreUnavailable

# A standby looks so often within a heartbeat: what a handover takes is mostly waiting for it.
LOOKS = 5
# Seconds by which a lease that was just seen may outlive what was seen of it.
MARGIN_S = 0.01

logger = logging.getLogger(__name__)


class Candidate:
    """A master on its way to be the leader."""

    def __init__(
        self, lease: LeaderLease, known: int, timeout_s: float, heartbeat_s: float
    ) -> None:
        """``known`` is the highest epoch that others than Redis know of."""
        self._lease = lease
        self._standby = stand_by(lease.holder, timeout_s, known)
        self._pause_s = heartbeat_s / LOOKS
        # None before the first look.
        self._away: bool | None = None
        self._leader: str | None = None

    def wait(self) -> int:
        """Return the epoch of this master once it leads."""
        while True:
            epoch, pause_s = self._look()
            if epoch is not None:
                return epoch
            gevent.sleep(pause_s)

    def readiness(self) -> tuple[bool, dict[str, Any]]:
        """Say that this master stands by, which it cannot without Redis, and for whom."""
        if self._away is None:
            return False, {"role": "starting"}
        if self._away:
            return False, {"role": "standby", "error": "Redis, which holds the lease, is away"}
        return True, {"role": "standby", "leader": self._leader}

    def _look(self) -> tuple[int | None, float]:
        """Look, and take the lease if it is time; returns the epoch or how long to wait."""
        try:
            sight = self._lease.look()
            self._standby, step = self._standby.look(sight, time.monotonic())
            self._note(sight.address)
            if step is Step.CAMPAIGN:
                epoch = self._lease.take(next_epoch(self._standby.known, clock_ms()))
                return epoch, self._pause_s
            # A lease may run out before the next look.
            left_s = sight.left_s + MARGIN_S if sight.holder else self._pause_s
            return None, min(self._pause_s, left_s)
        except StoreUnavailable as error:
            self._standby, _ = self._standby.look(None, time.monotonic())
            if not self._away:
                self._away = True
                logger.warning("waits for Redis, which says who leads: %s", error)
            return None, self._pause_s

    def _note(self, leader: str | None) -> None:
        self._away = False
        if leader and leader != self._leader:
            logger.info("stands by for the leader at %s", leader)
        self._leader = leader


def clock_ms() -> int:
    """Return the milliseconds since 1970, from which epochs are made."""
    return time.time_ns() // 1_000_000
