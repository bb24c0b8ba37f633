"""Cut the running test into samples and put them into the spool.

Samples are counted from the workers' own reports, each of which holds what happened since the
one before: they stay right when somebody resets the statistics in the UI.
"""

from __future__ import annotations

import logging
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from locust_fleet.master.run import Request, Run, new_run_id, utc_now
from locust_fleet.master.spool import Record, Spool
from locust_fleet.stats import merge

SAMPLE_INTERVAL_S = 5.0
# About an hour of samples, should the disk be full for that long.
UNSAVED_LIMIT = 1000

logger = logging.getLogger(__name__)


class Recorder:
    """The memory of the runs: the one that runs, the last one, and what was not yet cut."""

    def __init__(self, spool: Spool, version: str) -> None:
        self.run: Run | None = None
        self.stopped_by: str | None = None
        self._spool = spool
        self._version = version
        self._request: Request | None = None
        self._seq = 0
        self._endpoints: dict[tuple[str, str], dict[str, Any]] = {}
        self._failures: dict[tuple[str, str, str], int] = {}
        self._workers: frozenset[str] = frozenset()
        self._unsaved: deque[Record] = deque()
        self._save({"kind": "master_started", "at": utc_now().isoformat()})

    @property
    def active(self) -> Run | None:
        """The run that goes on now."""
        return self.run if self.run is not None and self.run.state == "running" else None

    @property
    def expected_run_id(self) -> str | None:
        """The id of the run that was asked for last, started or not."""
        return self._request.run_id if self._request else self.run.id if self.run else None

    def expect(self, *, started_by: str, name: str, run_time_s: float | None) -> Request:
        """Remember who asked for the run that is about to start; returns it with its id."""
        self._request = Request(new_run_id(utc_now()), started_by, name, run_time_s)
        return self._request

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
        """Open a run. ``run_time_s`` counts where nobody asked for one, as with autostart."""
        asked = self._request or Request(new_run_id(now), "autostart", "", run_time_s)
        self._request, self.stopped_by, self._seq = None, None, 0
        self._endpoints, self._failures, self._workers = {}, {}, frozenset()
        self.run = Run(
            id=asked.run_id,
            name=clean(asked.name),
            started_by=asked.started_by,
            locustfile=locustfile,
            host=host,
            users=users,
            spawn_rate=spawn_rate,
            run_time_s=asked.run_time_s,
            started_at=now,
        )
        self._save(
            {
                "kind": "run_started",
                "run": {**self.run.to_json(), "image_version": self._version},
            }
        )
        return self.run

    def count(self, worker: str, report: Mapping[str, Any]) -> None:
        """Add a worker's report; one that comes after the end of its run is logged, not counted."""
        if self.active is None:
            late = sum(entry["num_requests"] for entry in report["stats"])
            if late:
                logger.warning("%s reported %d requests outside of any run", worker, late)
            return
        for entry in report["stats"]:
            key = (clean(entry["method"] or ""), clean(entry["name"]))
            self._endpoints[key] = add(self._endpoints.get(key), entry)
        for error in report["errors"].values():
            failure = (
                clean(error["method"] or ""),
                clean(error["name"]),
                clean(str(error["error"])),
            )
            self._failures[failure] = self._failures.get(failure, 0) + error["occurrences"]

    def cut(self, *, users: int, target_users: int, workers: Iterable[str]) -> None:
        """Close the present interval: its counts become a sample and counting starts anew."""
        run = self.active
        if run is None:
            return
        present = frozenset(workers)
        self._note_workers(present)
        self._seq += 1
        endpoints, self._endpoints = self._endpoints, {}
        failures, self._failures = self._failures, {}
        self._save(
            {
                "kind": "sample",
                "run_id": run.id,
                "seq": self._seq,
                "at": utc_now().isoformat(),
                "users": users,
                "target_users": target_users,
                "workers": len(present),
                "endpoints": [
                    {"method": method, "name": name, **counts}
                    for (method, name), counts in endpoints.items()
                ],
                "failures": [
                    {"method": method, "name": name, "error": error, "occurrences": occurrences}
                    for (method, name, error), occurrences in failures.items()
                ],
            }
        )

    def stop(self) -> None:
        """Close the run; cut the last sample before."""
        if self.active is None:
            return
        state = "stopped" if self.stopped_by else "finished"
        self.event("stopped", {"by": self.stopped_by} if self.stopped_by else {})
        self._save(
            {
                "kind": "run_ended",
                "run_id": self.active.id,
                "at": utc_now().isoformat(),
                "state": state,
            }
        )
        self.run = replace(self.active, state=state)

    def event(self, event: str, detail: Mapping[str, Any]) -> None:
        """Note that something happened to the run; without a run there is nothing to note."""
        if self.run is not None:
            self._save(
                {
                    "kind": "event",
                    "id": str(uuid.uuid4()),
                    "run_id": self.run.id,
                    "at": utc_now().isoformat(),
                    "event": event,
                    "detail": dict(detail),
                }
            )

    def audit(self, actor: str, address: str, action: str, reason: str) -> None:
        """Note a refusal in the audit log; what was allowed is noted by the console."""
        logger.warning("refused %s by %s: %s", action, actor, reason)
        self._save(
            {
                "kind": "audit",
                "id": str(uuid.uuid4()),
                "at": utc_now().isoformat(),
                "actor": clean(actor),
                "address": clean(address),
                "action": action,
                "detail": {"reason": clean(reason)},
                "allowed": False,
            }
        )

    def _note_workers(self, present: frozenset[str]) -> None:
        if self._seq:
            for worker in present - self._workers:
                self.event("worker joined", {"worker": worker})
            for worker in self._workers - present:
                self.event("worker left", {"worker": worker})
        self._workers = present

    def _save(self, record: Record) -> None:
        """Spool a record; on a full disk it waits in memory, and the oldest is given up last."""
        if len(self._unsaved) >= UNSAVED_LIMIT:
            logger.error("the spool cannot be written; a result record is lost: %s", record["kind"])
            return
        self._unsaved.append(record)
        try:
            while self._unsaved:
                self._spool.put(self._unsaved[0])
                self._unsaved.popleft()
        except OSError as error:
            logger.error("%d results wait in memory: %s", len(self._unsaved), error)


def add(counts: dict[str, Any] | None, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return an endpoint's counts with a worker's entry added; times in milliseconds."""
    before = counts or {
        "requests": 0,
        "failures": 0,
        "sum_ms": 0.0,
        "min_ms": None,
        "max_ms": None,
        "response_bytes": 0,
        "histogram": {},
    }
    timed = bool(entry["response_times"])
    return {
        "requests": before["requests"] + entry["num_requests"],
        "failures": before["failures"] + entry["num_failures"],
        "sum_ms": before["sum_ms"] + entry["total_response_time"],
        "min_ms": _extreme(min, before["min_ms"], entry["min_response_time"] if timed else None),
        "max_ms": _extreme(max, before["max_ms"], entry["max_response_time"] if timed else None),
        "response_bytes": before["response_bytes"] + entry["total_content_length"],
        "histogram": merge((before["histogram"], entry["response_times"])),
    }


def clean(text: str) -> str:
    """Return text that Postgres can store: without NUL and without half characters."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def _extreme(choose: Callable[[list[float]], float], *values: float | None) -> float | None:
    known = [value for value in values if value is not None]
    return choose(known) if known else None
