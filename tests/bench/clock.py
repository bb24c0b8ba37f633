"""A clock that goes as fast as a benchmark likes, for Locust's statistics."""

from __future__ import annotations

from locust import stats

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch


class Clock:
    """Stands for the module ``time`` in Locust's statistics."""

    def __init__(self, now: float) -> None:
        self.now = now

    def time(self) -> float:
        """Return the simulated time in seconds."""
        return self.now


@contextmanager
def simulated_clock(now: float = 1_800_000_000.0) -> Iterator[Clock]:
    """Give Locust's statistics a clock to be set by hand."""
    clock = Clock(now)
    with patch.object(stats, "time", clock):
        yield clock
