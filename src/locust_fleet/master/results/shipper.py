"""Carry records from the spool to Postgres, whenever Postgres is there."""

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

PAUSE_S = 1.0
RETENTION_INTERVAL_S = 3600.0

logger = logging.getLogger(__name__)


class Shipper:
    """The only one that talks to Postgres on a master; nobody waits for it."""

    def __init__(self, spool: Spool, settings: MasterSettings, reign: Leadership) -> None:
        self._spool = spool
        self._reign = reign
        self._settings = settings
        self._connection: postgres.Connection | None = None
        self._away = False
        self._next_retention = 0.0

    def run_forever(self) -> None:
        """Ship what waits, then look again in a second; never raises."""
        while True:
            try:
                self.ship()
                self._remove_old_runs()
            except (StoreUnavailable, psycopg.OperationalError) as error:
                self._lost(error)
            except LeadershipLost as error:
                # What ends this master, if anything does; the records are the other one's now.
                self._reign.report_epoch(error.epoch)
            except Exception:  # whatever it is, the next round tries again; logged below
                logger.exception("shipping results failed; trying again")
                self.close()
            gevent.sleep(PAUSE_S)

    def ship(self) -> None:
        """Write every waiting record, oldest first; raises what keeps Postgres from answering."""
        for path in self._spool.pending():
            self._ship_one(path)
        if self._away:
            self._away = False
            logger.info("Postgres is back; every waiting result is written")

    def _ship_one(self, path: Path) -> None:
        connection = self._connected()
        try:
            database.write(connection, self._spool.read(path), self._reign.epoch)
        except psycopg.errors.ProgramLimitExceeded as error:
            # The only operational error that lies in the record and not in Postgres.
            self._reject(path, error)
        except (LeadershipLost, StoreUnavailable, psycopg.OperationalError):
            raise
        except Exception as error:  # whatever the record is, those behind it must not wait for it
            self._reject(path, error)
        else:
            self._spool.done(path)

    def _reject(self, path: Path, error: Exception) -> None:
        kept = self._spool.reject(path)
        logger.error("Postgres refuses a result record, kept as %s: %s", kept, error)

    def _remove_old_runs(self) -> None:
        days = self._settings.results_retention_days
        if not days or time.monotonic() < self._next_retention:
            return
        removed = database.remove_old_runs(self._connected(), days, self._settings.reports_dir)
        self._next_retention = time.monotonic() + RETENTION_INTERVAL_S
        if removed:
            logger.info("removed %d runs older than %d days", len(removed), days)

    def _connected(self) -> postgres.Connection:
        if self._connection is None or self._connection.closed:
            self._connection = postgres.connect(self._settings.postgres)
        return self._connection

    def _lost(self, error: Exception) -> None:
        self.close()
        if not self._away:
            self._away = True
            logger.warning("results wait in the spool: %s", error)

    def close(self) -> None:
        """End the connection; the next shipment makes another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
