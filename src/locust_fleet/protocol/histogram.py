"""The steps of histograms of response times, and histogram arithmetic. Pure.

Workers count response times in steps, which are whole numbers: there are 128 equal steps from each
power of two to the next, from 1 us up. Everywhere else a histogram maps a response time in
milliseconds, the middle of a step, to the number of requests in that step. JSON turns the keys into
strings; ``percentile`` and ``merge`` accept both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import frexp, ldexp

# The largest relative error of a response time, and so of a percentile: half a step.
LARGEST_ERROR = 0.005

# The name for requests beyond the bound on names, per method, and the message for failures beyond
# theirs. It is here, where a process without Locust can import it.
OTHER = "(other)"

# The end of the name of an entry that measures the same requests from their intended start
# (users/arrival/corrected.py), and the key of these entries in a report on the master.
TWIN = " (from intended start)"
TWINS = "fleet_twins"
# The key in a report for arrivals and dropped arrivals, by user class.
ARRIVED = "fleet_arrived"

Histogram = Mapping[float, int] | Mapping[int, int] | Mapping[str, int]


def percentile(histogram: Histogram, fraction: float) -> float | None:
    """Return the response time (milliseconds) that a fraction (0 to 1) of requests did not exceed.

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
    """Return the sum of histograms."""
    merged: dict[float, int] = {}
    for histogram in histograms:
        add_times(merged, histogram)
    return merged


def add_times(merged: dict[float, int], histogram: Histogram) -> None:
    """Add a histogram to another, in place."""
    for key, count in histogram.items():
        time_ms = float(key)
        merged[time_ms] = merged.get(time_ms, 0) + count


def step_of(response_time: float) -> int:
    """Return the step of a response time (milliseconds); below 1 us it is 0.

    It runs for every request, so speed comes before readability here.
    """
    if response_time < 0.001:
        return 0
    mantissa, exponent = frexp(response_time * 1000.0)
    return (exponent << 7) + int(mantissa * 256.0)


class _ResponseTimes(dict[int, float]):
    """The response time (milliseconds) of each step so far; all histograms share the floats."""

    def __missing__(self, step: int) -> float:
        middle_us = ldexp((step & 127) + 128.5, (step >> 7) - 9)
        # Four digits are exact enough to stay within the step.
        value = self[step] = float(f"{middle_us / 1000.0:.4g}") if step else 0.0
        return value


_response_times = _ResponseTimes()


def response_time_of(step: int) -> float:
    """Return the response time (milliseconds) that stands for a step: its middle."""
    return _response_times[step]
