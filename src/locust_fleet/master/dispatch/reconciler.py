"""Find workers that do not run what they were told, because a message was lost. Pure.

ZeroMQ drops what is sent to a worker whose connection is just broken. A worker with too few users
is told once more, and not again: its users may have ended by themselves (``StopUser``). One with
too many is told again when they had time to end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Longer than the way of a message and the report that follows it.
PATIENCE_S = 6.0


@dataclass
class _Doubt:
    told: int
    since: float
    repeated: bool = False


class Reconciler:
    """How long workers have run something else than they were told."""

    def __init__(self) -> None:
        self._doubts: dict[str, _Doubt] = {}

    def look(
        self, told: Mapping[str, int], running: Mapping[str, int], stop_timeout_s: float, now: float
    ) -> list[str]:
        """Return the workers that must be told again."""
        self._doubts = {worker: doubt for worker, doubt in self._doubts.items() if worker in told}
        again = []
        for worker, users in told.items():
            doubt = self._doubts.setdefault(worker, _Doubt(users, now))
            if doubt.told != users or running[worker] == users:
                # Whether it was repeated matters for as long as the same is to run.
                repeated = doubt.repeated and doubt.told == users
                self._doubts[worker] = _Doubt(users, now, repeated)
                continue
            many = running[worker] > users
            patience_s = PATIENCE_S + stop_timeout_s if many else PATIENCE_S
            if now - doubt.since >= patience_s and (many or not doubt.repeated):
                self._doubts[worker] = _Doubt(users, now, repeated=True)
                again.append(worker)
        return again
