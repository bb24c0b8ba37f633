"""Record response times a second time, from when the request was intended to begin.

A load generator that falls behind sends fewer requests to a slow target, so its response times do
not show how long users would wait: coordinated omission. When an iteration begins late, the delay
is added to the response times of all its requests. They are recorded in a twin of the entry in the
statistics, which is part of no total.
"""

from __future__ import annotations

from locust.stats import RequestStats, StatsError

import math
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from locust_fleet.protocol.histogram import OTHER, TWIN

# In Locust's table of failures.
METHOD, DROPPED = "ARRIVAL", "dropped: no user was free"

# How late the iteration of this greenlet began, in milliseconds; None outside an iteration.
_late_ms: ContextVar[float | None] = ContextVar("late_ms", default=None)


def begin_iteration(late_s: float) -> None:
    """Note that the user of this greenlet begins an iteration ``late_s`` seconds late."""
    _late_ms.set(max(0.0, late_s * 1000))


def end_iteration() -> None:
    """Note that the next requests of the user, such as a logout, belong to no iteration."""
    _late_ms.set(None)


def count_from_intended(stats: RequestStats) -> Callable[..., None]:
    """Return a listener of Locust's ``request`` event that records response times in the twins."""

    def request(
        request_type: str, name: str, response_time: float | None, response_length: int, **_: Any
    ) -> None:
        late_ms = _late_ms.get()
        if late_ms is None or response_time is None or not math.isfinite(response_time):
            return
        # Another entry than asked for when there are too many names.
        entry = stats.entries[name, request_type]
        if entry.name != OTHER:
            twin = stats.entries[entry.name + TWIN, entry.method]
            if twin.name.endswith(TWIN):
                twin.log(response_time + late_ms, response_length)  # type: ignore[arg-type]

    return request


def show_dropped(stats: RequestStats, user_class: str, count: int) -> None:
    """Add ``count`` dropped iterations to Locust's table of failures, without a failed request."""
    key = StatsError.create_key(METHOD, user_class, DROPPED)
    error = stats.errors.setdefault(key, StatsError(METHOD, user_class, DROPPED))
    error.occurred()
    error.occurrences += count - 1
