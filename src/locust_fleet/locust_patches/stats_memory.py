"""Keep the master's memory from growing with the length of a run.

Locust 2.47.0 keeps two counts per second and name for the whole run
(``StatsEntry.num_reqs_per_sec``, of which it reads the last 12 seconds), and a row of the charts
every five seconds (``RequestStats.history``). It also keeps a copy of each histogram for each of
the last 20 seconds (``StatsEntry._cache_response_times``), of which it reads one.
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

# Reports that waited for a new leader are late.
SECONDS_KEPT = 120
# About as many as a chart is pixels wide.
HISTORY_ROWS = 2000


class StatsSnapshot:
    """An earlier state of a histogram, in a tenth of the memory of Locust's CachedResponseTimes.

    A histogram only grows until a reset replaces it, and a dict keeps the order of insertion. So
    the first keys of the present histogram are the keys of the earlier one.
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
        """The earlier histogram: milliseconds to counts."""
        return dict(zip(self._now, self._counts, strict=False))


def keep_snapshots_small() -> None:
    """Make Locust keep small snapshots of histograms for the current percentiles."""
    keep = StatsEntry._cache_response_times

    def keep_small(entry: StatsEntry, second: int) -> None:
        times = entry.response_times
        # Locust then copies an empty histogram, and ours takes the copy's place.
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
    """Drop counts per second and rows of charts that nothing reads; call it every few seconds."""
    for entry in [statistics.total, *statistics.entries.values()]:
        entry.num_reqs_per_sec = latest(entry.num_reqs_per_sec)
        entry.num_fail_per_sec = latest(entry.num_fail_per_sec)
    if len(statistics.history) > HISTORY_ROWS:
        statistics.history[:] = thinned(statistics.history, HISTORY_ROWS // 2)


def latest(counts: dict[int, int]) -> dict[int, int]:
    """Return the counts of the last SECONDS_KEPT seconds, once there are twice as many."""
    if len(counts) < 2 * SECONDS_KEPT:
        return counts
    oldest = max(counts) - SECONDS_KEPT
    return defaultdict(int, {second: count for second, count in counts.items() if second > oldest})


def thinned(history: Sequence[dict[str, Any]], rows: int) -> list[dict[str, Any]]:
    """Return about so many of the charts' rows, evenly spread over their time."""
    times = [datetime.fromisoformat(row["time"]) for row in history]
    gap = (times[-1] - times[0]) / rows
    kept, due = [], times[0]
    for time, row in zip(times, history, strict=True):
        if time >= due:
            kept.append(row)
            # A row that is a little early is better than one that is a whole gap late.
            due = time + 0.9 * gap
    return kept
