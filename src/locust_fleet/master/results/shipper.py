"""Write the records in the spool to Postgres, whenever Postgres is available."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import gevent
import psycopg

from locust_fleet.election.leadership import Leadership
from locust_fleet.errors import LeadershipLost, StoreUnavailable
from locust_fleet.master.results import database
from locust_fleet.master.results.spool import Spool
from locust_fleet.runtime import postgres
from locust_fleet.settings.master import MasterSettings

SHIP_INTERVAL_S = 1.0
RETENTION_INTERVAL_S = 3600.0

logger = logging.getLogger(__name__)


class Shipper:
    """Writes results to Postgres; no other part of a master does, and none waits for it."""

    def __init__(self, spool: Spool, settings: MasterSettings, leadership: Leadership) -> None:
        self._spool = spool
        self._leadership = leadership
        self._settings = settings
        self._connection: postgres.Connection | None = None
        self._postgres_is_away = False
        self._next_retention = 0.0

    def run_forever(self) -> None:
        """Write waiting records and remove old runs, forever; never raises."""
        while True:
            try:
                self.ship()
                self._remove_old_runs()
            except (StoreUnavailable, psycopg.OperationalError) as error:
                self._log_outage(error)
            except LeadershipLost as error:
                # Another master leads and has the records; the lease decides whether this one ends.
                self._leadership.report_epoch(error.epoch)
            except Exception:  # the next round tries again; logged below
                logger.exception("the master could not write results to Postgres; it tries again")
                self.close()
            gevent.sleep(SHIP_INTERVAL_S)

    def ship(self) -> None:
        """Write every waiting record, oldest first.

        Raises StoreUnavailable or psycopg.OperationalError when Postgres does not answer, and
        LeadershipLost when a later leader has written.
        """
        for path in self._spool.pending():
            self._ship_one(path)
        if self._postgres_is_away:
            self._postgres_is_away = False
            logger.info("Postgres is back; the master has written every waiting result")

    def _ship_one(self, path: Path) -> None:
        connection = self._connected()
        try:
            database.write(connection, self._spool.read(path), self._leadership.epoch)
        except psycopg.errors.ProgramLimitExceeded as error:
            # The only operational error that is caused by the record and not by Postgres.
            self._reject(path, error)
        except (LeadershipLost, StoreUnavailable, psycopg.OperationalError):
            raise
        except Exception as error:  # the records behind a bad one must not wait for it
            self._reject(path, error)
        else:
            self._spool.remove(path)

    def _reject(self, path: Path, error: Exception) -> None:
        kept = self._spool.reject(path)
        logger.error("Postgres refuses a result record; it is kept as %s: %s", kept, error)

    def _remove_old_runs(self) -> None:
        days = self._settings.results_retention_days
        if not days or time.monotonic() < self._next_retention:
            return
        removed = database.remove_old_runs(self._connected(), days, self._settings.reports_dir)
        self._next_retention = time.monotonic() + RETENTION_INTERVAL_S
        if removed:
            logger.info("the master removed %d runs older than %d days", len(removed), days)

    def _connected(self) -> postgres.Connection:
        if self._connection is None or self._connection.closed:
            self._connection = postgres.connect(self._settings.postgres)
        return self._connection

    def _log_outage(self, error: Exception) -> None:
        self.close()
        if not self._postgres_is_away:
            self._postgres_is_away = True
            logger.warning("Postgres is unavailable; results wait in the spool: %s", error)

    def close(self) -> None:
        """Close the connection; the next write opens a new one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
