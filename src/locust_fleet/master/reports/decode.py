"""Prepare a worker's report before anybody on the master reads it.

Here names beyond the bound become ``(other)``, once: Locust's statistics, the recorder and the
metrics read it later.
"""

from __future__ import annotations

from locust.rpc import Message
from locust.stats import RequestStats, StatsError

from typing import Any

from locust_fleet.locust_patches.stats_names import MOST_FAILURES
from locust_fleet.master.results.bounds import ERROR_BYTES, clean
from locust_fleet.protocol.histogram import OTHER, TWIN, TWINS
from locust_fleet.protocol.stages import Forward


class ReportDecoder:
    """The last stage before Locust has a report."""

    def __init__(self, stats: RequestStats, most_names: int) -> None:
        self._stats = stats
        self._most_names = most_names

    def handle(self, message: Message, forward: Forward) -> None:
        """Prepare a report, and forward every message."""
        if message.type == "stats":
            self.decode(message.data)
        forward(message)

    @property
    def over_limit(self) -> bool:
        """Whether the present run has more names than are told apart."""
        return any(name == OTHER for name, _ in list(self._stats.entries))

    def diagnostics(self) -> list[str]:
        """Return what an operator should know about the names of the present run."""
        if not self.over_limit:
            return []
        finding = (
            f"more than {self._most_names} names of requests; the rest is counted as {OTHER}."
            " Give requests that differ only in an id the same name, or raise MAX_NAMES in .env"
        )
        return [finding]

    def decode(self, data: dict[str, Any]) -> None:
        """Make a report what its readers expect; in place."""
        twins = [entry["name"].endswith(TWIN) for entry in data["stats"]]
        for entry in data["stats"]:
            self._rename(entry)
        # What is not told apart must not be counted twice.
        data["stats"] = [
            entry
            for entry, twin in zip(data["stats"], twins, strict=True)
            if not twin or entry["name"].endswith(TWIN)
        ]
        failures: dict[str, dict[str, Any]] = {}
        for failure in data["errors"].values():
            self._add_failure(failures, failure)
        data["errors"] = failures

    def _rename(self, row: dict[str, Any]) -> None:
        # Locust adds the name here, or gives the entry that has taken its place (stats_names.py).
        entry = self._stats.entries[row["name"], row["method"]]
        row["name"], row["method"] = entry.name, entry.method

    def _add_failure(self, failures: dict[str, dict[str, Any]], failure: dict[str, Any]) -> None:
        self._rename(failure)
        failure["error"] = clean(str(failure["error"]), ERROR_BYTES)
        key, known = _key(failure), self._stats.errors
        full = len(known) + len(failures) >= MOST_FAILURES
        if full and key not in known and key not in failures:
            failure["error"] = OTHER
            key = _key(failure)
        failures[key] = _merged(failures[key], failure) if key in failures else failure


def split_twins(_: str, report: dict[str, Any]) -> None:
    """Leave requests in a report once; what counts them from the intended start stands beside.

    Locust's own listeners have it before, and show twins like other entries.
    """
    rows = report["stats"]
    report["stats"] = [row for row in rows if not row["name"].endswith(TWIN)]
    report[TWINS] = [
        {**row, "name": row["name"].removesuffix(TWIN)}
        for row in rows
        if row["name"].endswith(TWIN)
    ]


def _key(failure: dict[str, Any]) -> str:
    return StatsError.create_key(failure["method"], failure["name"], failure["error"])


def _merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    seen = [failure["first_seen"] for failure in (one, other) if failure["first_seen"]]
    last = [failure["last_seen"] for failure in (one, other) if failure["last_seen"]]
    return {
        **one,
        "occurrences": one["occurrences"] + other["occurrences"],
        "first_seen": min(seen, default=None),
        "last_seen": max(last, default=None),
    }
