"""Render the lines of an endpoint for Prometheus quickly, as there may be thousands of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate, islice
from typing import cast

from locust_fleet.master.metrics.counters import BUCKETS_S, Endpoint
from locust_fleet.runtime.exposition import labels

Times = Mapping[float, int] | Mapping[int, int]

FRACTIONS = ("0.5", "0.95", "0.99")
SHARES = tuple(map(float, FRACTIONS))


class Template:
    """The text of an endpoint's lines with placeholders for the numbers; made once."""

    def __init__(self, method: str, name: str, kind: str = "") -> None:
        """``kind`` is a part of the metrics' names, such as ``corrected_``."""
        self._labels = labels({"method": method, "name": name})
        self.run = ""
        self.refreshed = 0
        self._run_of: Times = {}
        self._run_requests = 0
        self._sorted = SortedHistogram()
        of = self._labels.replace("%", "%%")
        self.requests = "".join(
            f'locust_requests_total{{{of},status="{status}"}} %d\n'
            for status in ("success", "failure")
        )
        bounds = [*(f"{float(bound)!r}" for bound in BUCKETS_S), "+Inf"]
        self._duration = "".join(
            [
                *(
                    f'locust_{kind}request_duration_seconds_bucket{{{of},le="{bound}"}} %d\n'
                    for bound in bounds
                ),
                f"locust_{kind}request_duration_seconds_count{{{of}}} %d\n",
                f"locust_{kind}request_duration_seconds_sum{{{of}}} %r\n",
            ]
        )
        self._percentiles = {
            window: "".join(
                f"locust_{kind}response_time_percentile_seconds{{{of},"
                f'percentile="{fraction}",window="{window}"}} %.9g\n'
                for fraction in FRACTIONS
            )
            for window in ("run", "recent")
        }

    def duration(self, endpoint: Endpoint) -> str:
        """Return the lines of the histogram, in seconds."""
        buckets = endpoint.cumulative()
        return self._duration % (*buckets, buckets[-1], endpoint.sum_ms / 1000)

    def error(self, error: str, occurrences: int) -> str:
        """Return the line that counts an error."""
        of_error = labels({"error": error})
        return f"locust_failures_total{{{self._labels},{of_error}}} {occurrences}\n"

    def recent(self, times: Times) -> str:
        """Return the lines of percentiles of a histogram of the last ten seconds."""
        if not times:
            return ""
        return self._percentiles["recent"] % tuple(percentiles(times, sorted(times)))

    def reset_unless(self, times: Times | None) -> None:
        """Empty ``run`` unless it was made from this histogram; a new run has another object."""
        if self._run_of is not times:
            self.run, self._run_of, self._run_requests, self._sorted = "", {}, 0, SortedHistogram()

    def is_stale(self, times: Times, requests: int) -> bool:
        """Whether ``run`` was made from another histogram, or one with fewer requests."""
        return times is not self._run_of or requests != self._run_requests

    def refresh(self, times: Times, requests: int) -> None:
        """Make ``run``, the lines of percentiles since the run began."""
        self._run_of, self._run_requests = times, requests
        self._sorted.update(times)
        self.run = (
            self._percentiles["run"] % tuple(percentiles(times, self._sorted.times))
            if times
            else ""
        )


class SortedHistogram:
    """The sorted response times of a growing histogram; each update sorts in only the new ones.

    A run's histogram rarely gets new response times, and a scrape reads a thousand histograms.
    """

    def __init__(self) -> None:
        self.times: list[float] = []
        self._of: Times = {}

    def update(self, histogram: Times) -> None:
        """Sort the times of a histogram, which may have grown, or be another object."""
        if histogram is not self._of or len(histogram) < len(self.times):
            self._of, self.times = histogram, sorted(histogram)
        elif len(histogram) > len(self.times):
            # A dict keeps its keys in the order of insertion.
            self.times += islice(histogram, len(self.times), None)
            self.times.sort()


def percentiles(histogram: Times, order: Sequence[float]) -> list[float]:
    """Return the percentiles FRACTIONS of a histogram {milliseconds: count}, in seconds.

    The definition is that of ``protocol.histogram.percentile``. ``order`` has the sorted times.
    """
    places = list(accumulate(map(cast("Mapping[float, int]", histogram).__getitem__, order)))
    return [
        order[min(bisect_right(places, int(places[-1] * fraction)), len(places) - 1)] / 1000
        for fraction in SHARES
    ]
