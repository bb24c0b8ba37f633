"""Response times in steps, and histogram arithmetic. Pure.

Workers count response times in steps: 128 equal ones from each power of two to the next, from
1 us up, each with a whole number. Everywhere else a histogram maps a response time in
milliseconds, which stands for its step, to how many requests took that long. JSON turns its
keys into strings; ``percentile`` and ``merge`` take both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import frexp, ldexp

# The largest relative error of a response time, and so of a percentile, that a step stands for.
LARGEST_ERROR = 0.005

# Names beyond a limit count under this name, for each method, and failures with this message. It is
# here because the recorder must not import Locust, which patches the standard library.
OTHER = "(other)"

# A twin counts the same requests as another entry, timed from their intended start
# (users/arrival/corrected.py). The end of its name, and the key of twins in a report on the master.
TWIN = " (from intended start)"
TWINS = "fleet_twins"
# The key in a report of {class of users: (arrivals, dropped arrivals)}.
ARRIVED = "fleet_arrived"

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
        add_times(merged, histogram)
    return merged


def add_times(merged: dict[float, int], histogram: Histogram) -> None:
    """Add a histogram to another, in place."""
    for key, count in histogram.items():
        time_ms = float(key)
        merged[time_ms] = merged.get(time_ms, 0) + count


def step_of(response_time: float) -> int:
    """Return the step of a response time (milliseconds); below 1 us it is 0.

    Called for every request: what could be plainer or safer here would be slower.
    """
    if response_time < 0.001:
        return 0
    mantissa, exponent = frexp(response_time * 1000.0)
    return (exponent << 7) + int(mantissa * 256.0)


class _ResponseTimes(dict[int, float]):
    """A cache of each step's response time, so that all histograms share one float."""

    def __missing__(self, step: int) -> float:
        middle_us = ldexp((step & 127) + 128.5, (step >> 7) - 9)
        # Four digits are as precise as a step, and stay within it.
        value = self[step] = float(f"{middle_us / 1000.0:.4g}") if step else 0.0
        return value


_response_times = _ResponseTimes()


def response_time_of(step: int) -> float:
    """Return the response time (milliseconds) that stands for a step: its middle."""
    return _response_times[step]
