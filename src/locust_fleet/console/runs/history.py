"""Look at runs in Postgres and at the master together: either may be away."""

from __future__ import annotations

from pathlib import Path

from locust_fleet.console.database import Database
from locust_fleet.console.runs.master_client import MasterClient, MasterUnavailable, active_run
from locust_fleet.console.runs.reader import Json, RunReader, read_page, shape_status
from locust_fleet.errors import FleetError, StoreUnavailable


class NoSuchRun(FleetError):
    """Neither Postgres nor the master knows a run of this id."""


class History:
    """Past runs, and the present one."""

    def __init__(self, database: Database, master: MasterClient, reports_dir: Path) -> None:
        self._database = database
        self._master = master
        self._reader = RunReader(reports_dir)

    def status(self) -> Json | None:
        """Return the master's GET /fleet/run, None while it is away."""
        try:
            return self._master.status()
        except MasterUnavailable:
            return None

    def page(self, limit: int, before: str | None = None) -> list[Json]:
        """Return runs, the newest first; raises StoreUnavailable."""
        with self._database.connection() as connection:
            return read_page(connection, limit, before)

    def run(self, run_id: str) -> Json:
        """Return a run with "live" (the master's status while it goes on) and "stored".

        A run that only the master can tell of, because Postgres is away or does not know it
        yet, has "stored" false. Raises NoSuchRun, or StoreUnavailable when nobody can tell.
        """
        status = self.status()
        known = (
            status["run"] if status and status["run"] and status["run"]["id"] == run_id else None
        )
        try:
            with self._database.connection() as connection:
                run = self._reader.read(connection, run_id)
        except StoreUnavailable:
            if known is None:
                raise
            run = None
        if run is None:
            if status is None or known is None:
                raise NoSuchRun(f"There is no run {run_id}.")
            run = {**shape_status(status), "stored": False}
        else:
            run = {**run, "stored": True}
        if known:
            # What the master says reaches Postgres a moment later.
            run["state"] = known["state"]
        live = status if status and known and active_run(status) else None
        return {**run, "reports": self._reader.reports(run_id), "live": live}

    def report(self, run_id: str, name: str) -> Path | None:
        """Return the path of a run's report, None when there is no such one."""
        return self._reader.report(run_id, name)
