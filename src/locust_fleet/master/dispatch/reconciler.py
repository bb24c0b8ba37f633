"""Find workers that do not run what they were told, because a message was lost. Pure.

ZeroMQ drops what is sent to a worker whose connection is just broken. A worker with too few users
is told once more, and not again: its users may have ended by themselves (``StopUser``). One with
too many is told again when they had time to end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Longer than the way of a message and the report that follows it.
REPORT_TIMEOUT_S = 6.0


@dataclass
class _Mismatch:
    assigned: int
    since: float
    repeated: bool = False


class Reconciler:
    """How long workers have run something else than they were told."""

    def __init__(self) -> None:
        self._mismatches: dict[str, _Mismatch] = {}

    def check(
        self,
        assigned: Mapping[str, int],
        running: Mapping[str, int],
        stop_timeout_s: float,
        now: float,
    ) -> list[str]:
        """Return the workers that must be told again."""
        self._mismatches = {
            worker: mismatch for worker, mismatch in self._mismatches.items() if worker in assigned
        }
        again = []
        for worker, users in assigned.items():
            mismatch = self._mismatches.setdefault(worker, _Mismatch(users, now))
            if mismatch.assigned != users or running[worker] == users:
                # Whether it was repeated matters for as long as the same is to run.
                repeated = mismatch.repeated and mismatch.assigned == users
                self._mismatches[worker] = _Mismatch(users, now, repeated)
                continue
            many = running[worker] > users
            grace_s = REPORT_TIMEOUT_S + stop_timeout_s if many else REPORT_TIMEOUT_S
            if now - mismatch.since >= grace_s and (many or not mismatch.repeated):
                self._mismatches[worker] = _Mismatch(users, now, repeated=True)
                again.append(worker)
        return again
