"""Histogram arithmetic. Pure.

A histogram maps a response time in milliseconds, as the workers rounded it, to how many
requests took that long. JSON turns its keys into strings; every function here takes both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

Histogram = Mapping[float, int] | Mapping[int, int] | Mapping[str, int]


def percentile(histogram: Histogram, fraction: float) -> float | None:
    """Return the response time (milliseconds) that a fraction (0 to 1) of requests stayed within.

    The same definition as Locust's ``calculate_response_time_percentile``, so that every page
    shows the same number: the value at position floor(requests x fraction), counted from zero.
    None for an empty histogram.
    """
    counts = sorted((float(key), count) for key, count in histogram.items() if count > 0)
    position = int(sum(count for _, count in counts) * fraction)
    seen = 0
    for value, count in counts:
        seen += count
        if seen > position:
            return value
    return counts[-1][0] if counts else None


def merge(histograms: Iterable[Histogram]) -> dict[float, int]:
    """Return the histogram of all requests of the given ones."""
    merged: dict[float, int] = {}
    for histogram in histograms:
        for key, count in histogram.items():
            merged[float(key)] = merged.get(float(key), 0) + count
    return merged
