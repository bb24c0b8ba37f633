"""Add up workers' reports between two samples. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from locust_fleet.master.results.bounds import (
    ERROR_BYTES,
    METHOD_BYTES,
    MOST_BYTES,
    NAME_BYTES,
    clean,
    count,
    duration,
    histogram,
)
from locust_fleet.protocol.histogram import ARRIVED, OTHER, TWINS, add_times, merge

# Limits of one sample; what is beyond counts as OTHER.
ENDPOINTS_LIMIT = FAILURES_LIMIT = 10_000

# The counts as plain data.
Dump = Mapping[str, Any]
EndpointCounts = dict[str, Any]


class Window:
    """The counts since the last sample."""

    def __init__(self, dumped: Dump | None = None) -> None:
        """Continue from another window's ``dump``, if given."""
        former: Dump = dumped or {}
        self._endpoints: dict[tuple[str, str], EndpointCounts] = {
            # The previous version had neither corrected times nor arrivals.
            (method, name): {
                **counts,
                "histogram": merge((counts["histogram"],)),
                "corrected": merge((counts.get("corrected", {}),)),
            }
            for method, name, counts in former.get("endpoints", ())
        }
        # The same counts by method and name as reported, before ``clean``.
        self._reported: dict[tuple[str | None, str], EndpointCounts] = {}
        self._failures: dict[tuple[str, str, str], int] = {
            (method, name, error): met for method, name, error, met in former.get("failures", ())
        }
        # Class of users -> (iterations that were due, those of them that were dropped).
        self._arrivals: dict[str, tuple[int, int]] = {
            user_class: (arrivals, dropped)
            for user_class, (arrivals, dropped) in former.get("arrivals", {}).items()
        }

    def add(self, report: Mapping[str, Any]) -> None:
        """Add a worker's report."""
        for entry in report["stats"]:
            key = entry["method"], entry["name"]
            add_entry(self._reported.get(key) or self._counts(*key), entry)
        for twin in report.get(TWINS, ()):
            if counts := self._reported.get((twin["method"], twin["name"])):
                add_times(counts["corrected"], histogram(twin["response_times"]))
        for name, (arrivals, dropped) in report.get(ARRIVED, {}).items():
            user_class = clean(name, NAME_BYTES)
            before = self._arrivals.get(user_class, (0, 0))
            self._arrivals[user_class] = before[0] + count(arrivals), before[1] + count(dropped)
        for error in report["errors"].values():
            failure = (
                clean(error["method"] or "", METHOD_BYTES),
                clean(error["name"], NAME_BYTES),
                clean(str(error["error"]), ERROR_BYTES),
            )
            if failure not in self._failures and len(self._failures) >= FAILURES_LIMIT:
                failure = ("", OTHER, OTHER)
            self._failures[failure] = self._failures.get(failure, 0) + count(error["occurrences"])

    def sample(self) -> dict[str, Any]:
        """Return the counts as fields of a sample's record."""
        return {
            "endpoints": [
                {"method": method, "name": name, **counts}
                for (method, name), counts in self._endpoints.items()
            ],
            "failures": [
                {"method": method, "name": name, "error": error, "occurrences": occurrences}
                for (method, name, error), occurrences in self._failures.items()
            ],
            "arrivals": [
                {"user_class": user_class, "arrivals": arrivals, "dropped": dropped}
                for user_class, (arrivals, dropped) in self._arrivals.items()
            ],
        }

    def dump(self) -> Dump:
        """Return plain data for the checkpoint; not a copy, so it changes with this window."""
        return {
            "endpoints": [[*key, counts] for key, counts in self._endpoints.items()],
            "failures": [[*key, met] for key, met in self._failures.items()],
            "arrivals": self._arrivals,
        }

    def _counts(self, method: str | None, name: str) -> EndpointCounts:
        """Return the counts of an endpoint that this window has no report of yet."""
        key = clean(method or "", METHOD_BYTES), clean(name, NAME_BYTES)
        if key not in self._endpoints and len(self._endpoints) >= ENDPOINTS_LIMIT:
            key = ("", OTHER)
        counts = self._endpoints.setdefault(key, empty_counts())
        self._reported[method, name] = counts
        return counts


def empty_counts() -> EndpointCounts:
    """Return the counts of an endpoint without requests; times are milliseconds."""
    return {
        "requests": 0,
        "failures": 0,
        "sum_ms": 0.0,
        "min_ms": None,
        "max_ms": None,
        "response_bytes": 0,
        "histogram": {},
        # The same requests, timed from their intended start, if they have one.
        "corrected": {},
    }


def add_entry(counts: EndpointCounts, entry: Mapping[str, Any]) -> None:
    """Add a worker's entry to the counts of its endpoint; times are milliseconds."""
    counts["requests"] += count(entry["num_requests"])
    counts["failures"] += count(entry["num_failures"])
    counts["sum_ms"] += duration(entry["total_response_time"])
    counts["response_bytes"] += count(entry["total_content_length"], MOST_BYTES)
    times = histogram(entry["response_times"])
    if not times:
        # An entry without response times has no minimum and maximum.
        return
    shortest, longest = duration(entry["min_response_time"]), duration(entry["max_response_time"])
    if counts["min_ms"] is None or shortest < counts["min_ms"]:
        counts["min_ms"] = shortest
    if counts["max_ms"] is None or longest > counts["max_ms"]:
        counts["max_ms"] = longest
    add_times(counts["histogram"], times)
