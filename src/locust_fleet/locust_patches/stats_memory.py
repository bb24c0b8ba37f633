"""Keep the master's memory from growing with the length of a run.

Locust 2.47.0 keeps, for as long as a run lasts, two counts per second and name
(``StatsEntry.num_reqs_per_sec``, of which it reads the last 12 seconds) and a row of the charts
every five seconds (``RequestStats.history``), and besides the last 20 seconds' copies of each
histogram (``StatsEntry._cache_response_times``), of which it reads one.
"""

from __future__ import annotations

from locust import stats
from locust.stats import RequestStats, StatsEntry

from array import array
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from locust_fleet.locust_patches.patch import replace

# Reports that waited for a master that was away are some time late.
SECONDS_KEPT = 120
# A chart is about as many points wide.
HISTORY_ROWS = 2000


class StatsSnapshot:
    """A histogram of the past in a tenth of the room; stands for Locust's CachedResponseTimes.

    Until a reset replaces it, a histogram only grows, and a dictionary keeps its order: so the
    first of its response times now are those of then.
    """

    __slots__ = ("_counts", "_now", "num_none_requests", "num_requests")

    def __init__(self, entry: StatsEntry) -> None:
        self._now = entry.response_times
        code = "I" if entry.num_requests < 1 << 32 else "Q"
        self._counts = array(code, entry.response_times.values())
        self.num_requests = entry.num_requests
        self.num_none_requests = entry.num_none_requests

    @property
    def response_times(self) -> dict[float, int]:
        """The histogram as it was."""
        return dict(zip(self._now, self._counts, strict=False))


def keep_snapshots_small() -> None:
    """From now on, what is kept for the current percentiles takes little room."""
    keep = StatsEntry._cache_response_times

    def keep_small(entry: StatsEntry, second: int) -> None:
        times = entry.response_times
        # An empty one is copied at no cost; then ours takes its place.
        entry.response_times = {}
        try:
            keep(entry, second)
        finally:
            entry.response_times = times
        cache: dict[int, Any] = entry.response_times_cache or {}
        if second in cache:
            cache[second] = StatsSnapshot(entry)

    replace(stats.StatsEntry, "_cache_response_times", keep_small)


def trim_stats(statistics: RequestStats) -> None:
    """Drop what nobody reads any more; call it every few seconds."""
    for entry in [statistics.total, *statistics.entries.values()]:
        entry.num_reqs_per_sec = latest(entry.num_reqs_per_sec)
        entry.num_fail_per_sec = latest(entry.num_fail_per_sec)
    if len(statistics.history) > HISTORY_ROWS:
        statistics.history[:] = thinned(statistics.history, HISTORY_ROWS // 2)


def latest(counts: dict[int, int]) -> dict[int, int]:
    """Return the counts of the last seconds; the same ones until it is worth it."""
    if len(counts) < 2 * SECONDS_KEPT:
        return counts
    oldest = max(counts) - SECONDS_KEPT
    return defaultdict(int, {second: count for second, count in counts.items() if second > oldest})


def thinned(history: Sequence[dict[str, Any]], rows: int) -> list[dict[str, Any]]:
    """Return about so many rows of the charts, evenly spread over the whole time."""
    times = [datetime.fromisoformat(row["time"]) for row in history]
    gap = (times[-1] - times[0]) / rows
    kept, due = [], times[0]
    for time, row in zip(times, history, strict=True):
        if time >= due:
            kept.append(row)
            # A little early rather than a whole row late.
            due = time + 0.9 * gap
    return kept
