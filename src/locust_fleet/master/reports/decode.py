"""Prepare a worker's report for its readers: Locust's statistics, the recorder, the metrics.

Names beyond the limit become ``(other)`` here, once for all readers.
"""

from __future__ import annotations

from locust.rpc import Message
from locust.stats import RequestStats, StatsError

from typing import Any

from locust_fleet.locust_patches.stats_names import MOST_FAILURES
from locust_fleet.master.results.bounds import ERROR_BYTES, clean
from locust_fleet.protocol.histogram import OTHER, TWIN, TWINS
from locust_fleet.protocol.message_stages import Forward


class ReportDecoder:
    """Bounds the names in reports. The last stage before Locust's own handling."""

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
        """Whether the present run has more names of requests than MAX_NAMES."""
        return any(name == OTHER for name, _ in list(self._stats.entries))

    def diagnostics(self) -> list[str]:
        """Return findings for the operator about the names of the present run, one line each."""
        if not self.over_limit:
            return []
        finding = (
            f"more than {self._most_names} names of requests; the rest is counted as {OTHER}."
            " Give requests that differ only in an id the same name, or raise MAX_NAMES in .env"
        )
        return [finding]

    def decode(self, data: dict[str, Any]) -> None:
        """Rename what is beyond the limits, and merge equal failures; in place."""
        twins = [entry["name"].endswith(TWIN) for entry in data["stats"]]
        for entry in data["stats"]:
            self._rename(entry)
        # A twin whose name became "(other)" would be counted there as a second request.
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
        # Locust adds the name here, or returns the entry that stands for it (stats_names.py).
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
    """Move the twins of requests, which have times from the intended start, to ``report[TWINS]``.

    Locust's own listeners read the report before this, and show twins like other entries.
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
