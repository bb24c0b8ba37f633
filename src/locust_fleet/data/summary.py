"""A summary of the shared data of a run, for the page of the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Of each kind, as the page has room for; the log of the master has all.
MAX_LINES = 20


def summed_up(closed: Mapping[str, Any]) -> dict[str, str | int]:
    """Return lines by title for what ``Store.close`` returned; none when no data was used."""
    counters, sources, requests = closed["counters"], closed["sources"], closed["requests"]
    if not counters and not sources:
        return {}
    lines: dict[str, str | int] = {}
    for name, value in sorted(counters.items())[:MAX_LINES]:
        lines[f"counter {name}"] = value
    for name, source in sorted(sources.items())[:MAX_LINES]:
        lines[f"source {name}"] = (
            f"{source['records']} records, lent {source['leases']} times,"
            f" {source['used up']} used up, {source['reclaimed']} taken back from dead workers"
        )
    busiest = sorted(requests.items(), key=lambda pair: -pair[1])[:MAX_LINES]
    lines["requests"] = "; ".join(f"{worker} {made}" for worker, made in busiest)
    return lines
