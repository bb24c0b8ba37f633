"""Record the run as samples and events, and put them into the spool.

Samples add up the workers' reports, each of which holds the counts since the one before. So they
stay correct when somebody resets the statistics in the UI.
"""

from __future__ import annotations

import logging
import uuid
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from locust_fleet.master.results.bounds import HOST_BYTES, NAME_BYTES, clean, count, detail
from locust_fleet.master.results.run import Run, RunRequest, new_run_id, utc_now
from locust_fleet.master.results.spool import Record, Spool
from locust_fleet.master.results.window import Window
from locust_fleet.policy.alert_thresholds import Thresholds
from locust_fleet.policy.limits import LONGEST_RUN_S, MOST_USERS

SAMPLE_INTERVAL_S = 5.0
MASTER_STARTED = "master_started"
# The event of a run that continues under another master; its detail names it as "leader".
LEADER_CHANGED = "leader changed"
# A recorder's state for the checkpoint, as plain data.
Dump = Mapping[str, Any]
# About an hour of samples, should the disk be full for that long.
UNSAVED_LIMIT = 1000

logger = logging.getLogger(__name__)


class Recorder:
    """The present run or the last one, and the counts since its last sample."""

    def __init__(
        self, spool: Spool, version: str, dumped: Dump | None = None, *, hold: bool = False
    ) -> None:
        """Continue from another recorder's ``dump``, if given.

        With ``hold``, records wait for ``release``: a sample must be in a checkpoint before the
        spool has it.
        """
        self.run: Run | None = None
        self.stopped_by: str | None = None
        self._spool = spool
        self._version = version
        self._request: RunRequest | None = None
        self._seq = 0
        self._window = Window()
        self._workers: frozenset[str] = frozenset()
        self._unsaved: deque[Record] = deque()
        self._hold = hold
        # Of all records ever, how many were recorded, and how many may be written to the spool.
        self._noted = self._released = 0
        if dumped is not None:
            self._load(dumped)
        resumes = self.active.id if self.active else None
        self._append({"kind": MASTER_STARTED, "at": utc_now().isoformat(), "resumes": resumes})

    @property
    def noted(self) -> int:
        """How many records there have been so far; see ``release``."""
        return self._noted

    @property
    def has_unreleased(self) -> bool:
        """Whether records wait to be released."""
        return self._noted > self._released

    @property
    def active(self) -> Run | None:
        """The present run; None between runs."""
        return self.run if self.run is not None and self.run.state == "running" else None

    @property
    def expected_run_id(self) -> str | None:
        """The id of the run that was requested last, started or not."""
        return self._request.run_id if self._request else self.run.id if self.run else None

    @property
    def unsaved_age_s(self) -> float:
        """Seconds that the oldest record has waited in memory, as with a full disk."""
        if not self._unsaved:
            return 0.0
        record = self._unsaved[0]
        at = record["at"] if "at" in record else record["run"]["started_at"]
        return max(0.0, (utc_now() - datetime.fromisoformat(at)).total_seconds())

    def expect(
        self,
        *,
        started_by: str,
        name: str,
        run_time_s: float | None,
        alerts: Thresholds | None = None,
    ) -> RunRequest:
        """Note the request for the run that is about to start; return it with the run's id."""
        run_id = new_run_id(utc_now())
        self._request = RunRequest(run_id, started_by, name, run_time_s, alerts or {})
        return self._request

    def forget_request(self) -> None:
        """Forget the request: the run does not start."""
        self._request = None

    def start(
        self,
        *,
        locustfile: str,
        host: str,
        users: int,
        spawn_rate: float,
        run_time_s: float | None,
        now: datetime,
    ) -> Run:
        """Open a run. ``run_time_s`` applies if nobody requested the run, as with autostart."""
        # A run should not be open here; if one is, it must not stay open.
        self.stop()
        asked = self._request or RunRequest(new_run_id(now), "autostart", "", run_time_s)
        self._request, self.stopped_by, self._seq = None, None, 0
        self._window = Window()
        self._workers = frozenset()
        run = Run(
            id=asked.run_id,
            name=clean(asked.name, NAME_BYTES),
            started_by=clean(asked.started_by, NAME_BYTES),
            locustfile=clean(locustfile, NAME_BYTES),
            host=clean(host, HOST_BYTES),
            users=count(users, MOST_USERS),
            spawn_rate=spawn_rate,
            run_time_s=asked.run_time_s and min(asked.run_time_s, LONGEST_RUN_S),
            started_at=now,
            alerts=asked.alerts,
        )
        self._append(
            {"kind": "run_started", "run": {**run.to_json(), "image_version": self._version}}
        )
        self.run = run
        return run

    def replan(self, run_time_s: float | None, now: datetime) -> None:
        """Change when the active run ends: in so many seconds, or when it is stopped (None)."""
        if self.active is not None:
            begun_s = (now - self.active.started_at).total_seconds()
            whole_s = None if run_time_s is None else begun_s + run_time_s
            self.run = replace(self.active, run_time_s=whole_s)

    def count(self, worker: str, report: Mapping[str, Any]) -> None:
        """Add a worker's report to the open sample; without a run, log it instead."""
        if self.active is None:
            late = sum(entry["num_requests"] for entry in report["stats"])
            if late:
                logger.warning("%s reported %d requests outside of any run", worker, late)
            return
        self._window.add(report)

    def close_sample(self, *, users: int, target_users: int, workers: Iterable[str]) -> None:
        """Store the counts since the last sample as a new one, and start counting from zero."""
        run = self.active
        if run is None:
            return
        present = frozenset(workers)
        self._note_workers(present)
        self._seq += 1
        counted, self._window = self._window.sample(), Window()
        self._append(
            {
                "kind": "sample",
                "run_id": run.id,
                "seq": self._seq,
                "at": utc_now().isoformat(),
                "users": count(users, MOST_USERS),
                "target_users": count(target_users, MOST_USERS),
                "workers": len(present),
                **counted,
            }
        )

    def stop(self) -> None:
        """Close the run; close its last sample first."""
        if self.active is None:
            return
        state = "stopped" if self.stopped_by else "finished"
        self.event(state, {"by": self.stopped_by} if self.stopped_by else {})
        self._append(
            {
                "kind": "run_ended",
                "run_id": self.active.id,
                "at": utc_now().isoformat(),
                "state": state,
            }
        )
        self.run = replace(self.active, state=state)

    def event(self, event: str, told: Mapping[str, Any]) -> None:
        """Record an event of the active run with its detail; without a run, do nothing."""
        run = self.active
        if run is not None:
            self._append(
                {
                    "kind": "event",
                    "id": str(uuid.uuid4()),
                    "run_id": run.id,
                    "at": utc_now().isoformat(),
                    "event": event,
                    "detail": detail(told),
                }
            )

    def audit(self, actor: str, address: str, action: str, reason: str) -> None:
        """Record a refusal in the audit log; the console records what is allowed."""
        entry = {
            "actor": clean(actor, NAME_BYTES),
            "address": clean(address, NAME_BYTES),
            "action": clean(action, HOST_BYTES),
            "detail": {"reason": clean(reason, HOST_BYTES)},
        }
        logger.warning("refused %(action)s by %(actor)s: %(detail)s", entry)
        self._append(
            {
                "kind": "audit",
                "id": str(uuid.uuid4()),
                "at": utc_now().isoformat(),
                **entry,
                "allowed": False,
            }
        )

    def dump(self) -> Dump:
        """Return plain data for the checkpoint, from which another recorder can continue."""
        return {
            "run": self.run.to_json() if self.run else None,
            "stopped_by": self.stopped_by,
            "seq": self._seq,
            **self._window.dump(),
            "workers": sorted(self._workers),
            "records": list(self._unsaved),
        }

    def _load(self, dumped: Dump) -> None:
        self.run = Run.from_json(dumped["run"]) if dumped["run"] else None
        self.stopped_by = dumped["stopped_by"]
        self._seq = dumped["seq"]
        self._window = Window(dumped)
        self._workers = frozenset(dumped["workers"])
        if self.run and self.run.id == self._spool.ended_run():
            # It ended while no checkpoint could be saved; its records are in the spool.
            self.run = replace(self.run, state="stopped")
            return
        for record in dumped["records"]:
            # This master has recorded its own start.
            if record["kind"] != MASTER_STARTED:
                self._append(record)

    def release(self, noted: int) -> None:
        """Let the first ``noted`` of all records be written to the spool."""
        self._released = max(self._released, noted)
        self.flush()

    def release_all(self) -> None:
        """Let all records be written although no checkpoint has them: this process ends."""
        if self.has_unreleased and self.run and not self.active:
            self._spool.note_end(self.run.id)
        self.release(self._noted)

    def _note_workers(self, present: frozenset[str]) -> None:
        if self._seq:
            for worker in present - self._workers:
                self.event("worker joined", {"worker": worker})
            for worker in self._workers - present:
                self.event("worker left", {"worker": worker})
        self._workers = present

    def _append(self, record: Record) -> None:
        """Add a record; it waits in memory until it is released and the disk has room."""
        self.flush()
        if len(self._unsaved) >= UNSAVED_LIMIT:
            # A record that is written early is better than a lost one.
            self.release(self._noted - len(self._unsaved) + 1)
        if len(self._unsaved) >= UNSAVED_LIMIT:
            logger.error("the spool is not writable; a result record is lost: %s", record["kind"])
            return
        self._unsaved.append(record)
        self._noted += 1
        if not self._hold:
            self._released = self._noted
        self.flush()

    def flush(self) -> None:
        """Write all released records to the spool, oldest first; keep what the disk refuses."""
        try:
            while self._unsaved and self._noted - len(self._unsaved) < self._released:
                self._spool.put(self._unsaved[0])
                self._unsaved.popleft()
        except OSError as error:
            logger.error(
                "the spool is not writable; %d results wait in memory: %s",
                len(self._unsaved),
                error,
            )
