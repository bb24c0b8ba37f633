"""Count response times a second time, from when a request was intended to begin.

A generator that falls behind asks less of a slow target, and so does not see how slow it is to
those who do not wait: coordinated omission. An iteration that began late has all its requests late
by as much; their entry in the statistics has a twin with that time added, which is in no total.
"""

from __future__ import annotations

from locust.stats import RequestStats, StatsError

import math
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from locust_fleet.protocol.histogram import OTHER, TWIN

# As in Locust's table of failures.
METHOD, DROPPED = "ARRIVAL", "dropped: no user was free"

# By how many milliseconds the iteration of this greenlet began late; None: it is none of ours.
_late_ms: ContextVar[float | None] = ContextVar("late_ms", default=None)


def begin_iteration(late_s: float) -> None:
    """Note that the user of this greenlet begins an iteration so late."""
    _late_ms.set(max(0.0, late_s * 1000))


def end_iteration() -> None:
    """Note that what the user does next, such as to say goodbye, is part of no iteration."""
    _late_ms.set(None)


def count_from_intended(stats: RequestStats) -> Callable[..., None]:
    """Return a listener of requests that keeps the twins."""

    def request(
        request_type: str, name: str, response_time: float | None, response_length: int, **_: Any
    ) -> None:
        late_ms = _late_ms.get()
        if late_ms is None or response_time is None or not math.isfinite(response_time):
            return
        # Under a bound on names it may be another one.
        entry = stats.entries[name, request_type]
        if entry.name != OTHER:
            twin = stats.entries[entry.name + TWIN, entry.method]
            if twin.name.endswith(TWIN):
                twin.log(response_time + late_ms, response_length)  # type: ignore[arg-type]

    return request


def show_dropped(stats: RequestStats, user_class: str, count: int) -> None:
    """Add dropped iterations to Locust's table of failures; no request has failed."""
    key = StatsError.create_key(METHOD, user_class, DROPPED)
    error = stats.errors.setdefault(key, StatsError(METHOD, user_class, DROPPED))
    error.occurred()
    error.occurrences += count - 1
