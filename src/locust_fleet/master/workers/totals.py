"""Count each worker's requests and failures in the present run. Pure.

A rolling update compares a new worker with the others before it continues (cli/canary.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class WorkerTotals:
    """The requests and failures of each worker since the run, or this process, started."""

    def __init__(self) -> None:
        self._of: dict[str, tuple[int, int]] = {}

    def start_run(self) -> None:
        """Forget the previous run."""
        self._of.clear()

    def add(self, worker: str, report: Mapping[str, Any]) -> None:
        """Add a worker's report."""
        requests, failures = self.of(worker)
        total = report["stats_total"]
        self._of[worker] = (requests + total["num_requests"], failures + total["num_failures"])

    def of(self, worker: str) -> tuple[int, int]:
        """Return how many requests a worker has made, and how many of them failed."""
        return self._of.get(worker, (0, 0))
