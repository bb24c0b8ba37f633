"""When each arrival begins, and which worker begins it. Pure.

Arrival k begins when the integral of the rate over the time since the start is k + 1/2. Which
worker begins it follows from k alone, by the fractional part of k times the golden ratio: these
parts are spread so evenly (three-distance theorem) that each worker gets its share of any few
arrivals. So every worker computes its own arrivals without asking the others; together they begin
each arrival once, evenly spaced.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate

from locust_fleet.users.arrival.shape import Ramp, Ramps

# The fractional part of the golden ratio in 64 bits; integers are rounded on no machine.
GOLDEN, BITS = 0x9E3779B97F4A7C15, 64
MASK = (1 << BITS) - 1


@dataclass(frozen=True)
class Part:
    """A worker's share from a position (seconds) on: from ``first`` to ``last`` of ``total``."""

    since: float
    first: int
    last: int
    total: int

    def has(self, arrival: int) -> bool:
        """Return whether an arrival belongs to this part."""
        place = ((arrival * GOLDEN & MASK) * self.total) >> BITS
        return self.first <= place < self.last


ALL = Part(-math.inf, 0, 1, 1)


class Timeline:
    """The arrivals of a shape, at positions in seconds from its start."""

    def __init__(self, ramps: Ramps) -> None:
        self._ramps = ramps
        self._begins = [0.0, *accumulate(ramp.seconds for ramp in ramps)]
        self._counts = [0.0, *accumulate(_count(ramp, ramp.seconds) for ramp in ramps)]

    @property
    def end(self) -> float:
        """When the last stage is over; infinite for a rate alone."""
        return self._begins[-1]

    def first_from(self, position: float) -> int:
        """Return the first arrival that begins at a position or after it."""
        return max(0, math.ceil(self._count_at(position) - 0.5))

    def position_of(self, arrival: int) -> float:
        """Return when an arrival begins; infinite if the stages end before."""
        wanted = arrival + 0.5
        place = bisect_right(self._counts, wanted) - 1
        if place >= len(self._ramps):
            return math.inf
        return self._begins[place] + _time(self._ramps[place], wanted - self._counts[place])

    def _count_at(self, position: float) -> float:
        place = bisect_right(self._begins, position) - 1
        if place < 0:
            return 0.0
        if place >= len(self._ramps):
            return self._counts[-1]
        return self._counts[place] + _count(self._ramps[place], position - self._begins[place])


class Schedule:
    """One worker's arrivals of a timeline, computed from one position to the next."""

    def __init__(self, timeline: Timeline, position: float) -> None:
        self._timeline = timeline
        self._position = position
        self._parts: list[Part] = []

    @property
    def position(self) -> float:
        """Up to where arrivals were computed."""
        return self._position

    @property
    def has_part(self) -> bool:
        """Whether this worker has any share from here on."""
        return any(part.first < part.last for part in self._parts)

    def change(self, part: Part) -> None:
        """Change the part, from its position on or, if that has passed, from now on."""
        self._parts = [known for known in self._parts if known.since < part.since]
        self._parts.append(part)

    def advance(self, until: float) -> list[float]:
        """Return when this worker's arrivals begin, from the end of the last call to ``until``."""
        due: list[float] = []
        for place, part in enumerate(self._parts, 1):
            end = self._parts[place].since if place < len(self._parts) else math.inf
            position = min(max(self._position, part.since), until)
            due += self._between(part, position, max(position, min(end, until)))
        self._position = max(self._position, until)
        # Of the parts that have begun, only the last one is still needed.
        begun = sum(part.since <= self._position for part in self._parts)
        del self._parts[: max(0, begun - 1)]
        return due

    def skip(self, position: float) -> None:
        """Skip the arrivals before a position."""
        self._position = max(self._position, position)

    def _between(self, part: Part, position: float, end: float) -> list[float]:
        first, last = self._timeline.first_from(position), self._timeline.first_from(end)
        return [
            self._timeline.position_of(arrival)
            for arrival in range(first, last)
            if part.has(arrival)
        ]


def _count(ramp: Ramp, seconds: float) -> float:
    if ramp.begin == ramp.end:
        return ramp.begin * seconds if ramp.begin else 0.0
    return seconds * (ramp.begin + (ramp.end - ramp.begin) * seconds / ramp.seconds / 2)


def _time(ramp: Ramp, count: float) -> float:
    """Return after how many seconds of a ramp ``count`` arrivals have begun; inverts _count."""
    slope = 0.0 if ramp.begin == ramp.end else (ramp.end - ramp.begin) / ramp.seconds
    root = math.sqrt(max(0.0, ramp.begin**2 + 2 * slope * count))
    return min(ramp.seconds, 2 * count / (ramp.begin + root)) if count else 0.0
