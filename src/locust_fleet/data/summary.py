"""What became of the shared data of a run, for the page of the run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# The page has room for so many of each kind; the log of the master has them all.
MOST = 20


def summed_up(closed: Mapping[str, Any]) -> dict[str, str | int]:
    """Return the words for what a store says at the end of a run; nothing when none was used."""
    counters, sources, requests = closed["counters"], closed["sources"], closed["requests"]
    if not counters and not sources:
        return {}
    lines: dict[str, str | int] = {}
    for name, value in sorted(counters.items())[:MOST]:
        lines[f"counter {name}"] = value
    for name, source in sorted(sources.items())[:MOST]:
        lines[f"source {name}"] = (
            f"{source['records']} records, lent {source['leases']} times,"
            f" {source['used up']} used up, {source['reclaimed']} taken back from dead workers"
        )
    busiest = sorted(requests.items(), key=lambda pair: -pair[1])[:MOST]
    lines["requests"] = "; ".join(f"{worker} {made}" for worker, made in busiest)
    return lines
