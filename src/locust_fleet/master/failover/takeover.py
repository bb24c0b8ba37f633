"""Wait for leadership before the runner exists: workers must find a master that leads.

Locust 2.47.0 listens as soon as it makes its runner. So the wait is just before that, when slow
work, such as importing the locustfile, is done.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gevent
import psycopg

from locust_fleet.election.candidate import Candidate, clock_ms
from locust_fleet.election.leadership import Leadership
from locust_fleet.election.lease import LeaderLease
from locust_fleet.errors import StoreUnavailable
from locust_fleet.master.failover.checkpoint_store import CheckpointStore, State
from locust_fleet.master.failover.resume import Resume
from locust_fleet.master.results import database
from locust_fleet.master.results.dead_letters import DeadLetters
from locust_fleet.master.results.run import Run
from locust_fleet.runtime import postgres
from locust_fleet.runtime.supervision import vital
from locust_fleet.settings.master import MasterSettings
from locust_fleet.settings.stores import RedisSettings

EVERYWHERE = ("*", "0.0.0.0", "")
# Short, because Redis knows the epoch, too, unless it has lost its data.
POSTGRES_TIMEOUT_S = 1.0
REDIS_RETRY_S = 0.5

logger = logging.getLogger(__name__)


class Takeover:
    """Waits for leadership; then holds it, the checkpoints and the last state."""

    def __init__(self, settings: MasterSettings, letters: DeadLetters) -> None:
        self._settings = settings
        self._letters = letters
        self._candidate: Candidate | None = None
        self.leadership: Leadership
        # None without Redis.
        self.checkpoints: CheckpointStore | None = None
        self.state: State | None = None

    def readiness(self) -> tuple[bool, dict[str, Any]]:
        """Return whether a master that does not lead yet is ready, and its role for /health."""
        if self._candidate is None:
            return False, {"role": "starting"}
        return self._candidate.readiness()

    @contextmanager
    def reading_checkpoint(self) -> Iterator[State | None]:
        """Yield the checkpoint's state; note a failure of it if its reader raises.

        An OSError is a failure of the disk and not of the checkpoint.
        """
        try:
            yield self.state
        except Exception as error:
            if self.state and self.checkpoints and not isinstance(error, OSError):
                self.checkpoints.note_failure(error)
            raise

    def resume(self, resume: Resume, run: Run | None) -> None:
        """Continue the run of the checkpoint, if it has one."""
        with self.reading_checkpoint() as state:
            if state and run:
                resume.begin(run, state)
            elif self.checkpoints is not None:
                self.checkpoints.clear_failures()

    def wait(self, host: str, port: int) -> None:
        """Return once this master leads; it will listen at this host and port."""
        redis, heartbeat = self._settings.redis, self._settings.heartbeat
        if redis is None:
            self.leadership = Leadership(None, clock_ms(), heartbeat.interval_s)
            return
        lease = LeaderLease(
            redis,
            self._settings.name,
            lambda: address(redis, host, port),
            self._settings.priority,
            heartbeat.timeout_s,
        )
        known = self._epoch_in_postgres()
        self._candidate = Candidate(lease, known, heartbeat.timeout_s, heartbeat.interval_s)
        self.leadership = Leadership(lease, self._candidate.wait(), heartbeat.interval_s)
        gevent.spawn(vital("lease", self.leadership.run_forever))
        self.checkpoints = CheckpointStore(redis, self.leadership, self._letters.put)
        self.state = self._load(self.checkpoints)
        logger.info("this master leads in epoch %d", self.leadership.epoch)

    def _epoch_in_postgres(self) -> int:
        try:
            with (
                gevent.Timeout(POSTGRES_TIMEOUT_S, StoreUnavailable("it takes too long")),
                postgres.connect(self._settings.postgres) as connection,
            ):
                return database.highest_epoch(connection)
        except (StoreUnavailable, psycopg.Error) as error:
            logger.warning("this master takes the last epoch from Redis alone: %s", error)
            return 0

    def _load(self, checkpoints: CheckpointStore) -> State | None:
        """Return the previous leader's checkpoint; wait for Redis, or its run would be lost."""
        while True:
            try:
                return checkpoints.load()
            except StoreUnavailable as error:
                logger.warning("this master waits for Redis to read the checkpoint: %s", error)
                gevent.sleep(REDIS_RETRY_S)


def address(redis: RedisSettings, host: str, port: int) -> str:
    """Return the ``host:port`` of this master for workers that read the lease; raises OSError.

    A master that listens on all addresses gives the one by which it reaches Redis: workers that
    can read Redis can reach it, too.
    """
    if host not in EVERYWHERE:
        return f"{host}:{port}"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((redis.host, redis.port))
        return f"{probe.getsockname()[0]}:{port}"
