"""Learn from the lease in Redis which master leads, and where.

The common name of all masters leads to any that accepts a connection, and a master that hangs still
accepts some.
"""

from __future__ import annotations

import logging
import re
import threading

from redis import Redis

from locust_fleet.election.lease import read_lease

# As often as a standby reads the lease.
REFRESH_S = 0.2
# The name becomes part of an address, and of a header that nginx reads.
HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?", re.ASCII)

logger = logging.getLogger(__name__)


class Leader:
    """The leader's host name, read again and again by ``keep_fresh``."""

    def __init__(self, redis: Redis) -> None:
        # None while nobody leads or Redis does not answer.
        self.host: str | None = None
        self._redis = redis

    def keep_fresh(self, closing: threading.Event) -> None:
        """Read again five times a second until ``closing`` is set."""
        while not closing.is_set():
            self.refresh()
            closing.wait(REFRESH_S)

    def refresh(self) -> None:
        """Read the lease; never raises."""
        holder = read_lease(self._redis, "holder")
        host = holder if holder and HOST.fullmatch(holder) else None
        if host and host != self.host:
            logger.info("%s leads", host)
        self.host = host
