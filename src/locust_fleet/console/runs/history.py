"""Read runs from Postgres and from the master together, where either may be away."""

from __future__ import annotations

from pathlib import Path

from locust_fleet.console.database import Database
from locust_fleet.console.runs.master_client import MasterClient, MasterUnavailable, active_run
from locust_fleet.console.runs.reader import Json, RunReader, read_page, shape_status
from locust_fleet.errors import FleetError, StoreUnavailable


class NoSuchRun(FleetError):
    """Neither Postgres nor the master has a run of this id."""


class History:
    """Past runs and the present one."""

    def __init__(self, database: Database, master: MasterClient, reports_dir: Path) -> None:
        self._database = database
        self._master = master
        self._reader = RunReader(reports_dir)

    def status(self) -> Json | None:
        """Return the answer of the master to GET /fleet/run, None while the master is away."""
        try:
            return self._master.status()
        except MasterUnavailable:
            return None

    def page(self, limit: int, before: str | None = None) -> list[Json]:
        """Return at most ``limit`` runs older than the run ``before``, the newest first.

        Raises StoreUnavailable.
        """
        with self._database.connection() as connection:
            return read_page(connection, limit, before)

    def run(self, run_id: str) -> Json:
        """Return a run with "live", the master's status while the run goes on, and "stored".

        "stored" is False for a run that only the master knows, because Postgres is away or does
        not have it yet. Raises NoSuchRun, or StoreUnavailable when neither answers.
        """
        status = self.status()
        of_master = (
            status["run"] if status and status["run"] and status["run"]["id"] == run_id else None
        )
        try:
            with self._database.connection() as connection:
                run = self._reader.read(connection, run_id)
        except StoreUnavailable:
            if of_master is None:
                raise
            run = None
        if run is None:
            if status is None or of_master is None:
                raise NoSuchRun(f"There is no run {run_id}.")
            run = {**shape_status(status), "stored": False}
        else:
            run = {**run, "stored": True}
        if of_master:
            # The state of the master reaches Postgres a moment later.
            run["state"] = of_master["state"]
        live = status if status and of_master and active_run(status) else None
        return {**run, "reports": self._reader.reports(run_id), "live": live}

    def report(self, run_id: str, name: str) -> Path | None:
        """Return the path of a report of a run, None when the run has no such report."""
        return self._reader.report(run_id, name)
