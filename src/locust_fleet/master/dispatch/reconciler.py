"""Find workers that do not run what they are assigned, because a message was lost. Pure.

ZeroMQ drops what is sent to a worker whose connection has just broken. The master sends a worker
with too few users its assignment once more, and only once: users may end by themselves
(``StopUser``). It repeats that of one with too many whenever they have had time to stop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# Seconds for a message to arrive and for the report that follows it to come back.
REPORT_TIMEOUT_S = 6.0


@dataclass
class _Mismatch:
    assigned: int
    since: float
    repeated: bool = False


class Reconciler:
    """How long each worker has run something else than it is assigned."""

    def __init__(self) -> None:
        self._mismatches: dict[str, _Mismatch] = {}

    def check(
        self,
        assigned: Mapping[str, int],
        running: Mapping[str, int],
        stop_timeout_s: float,
        now: float,
    ) -> list[str]:
        """Return the workers that need their assignment once more.

        ``assigned`` and ``running`` are users by worker; ``now`` is in monotonic seconds.
        """
        self._mismatches = {
            worker: mismatch for worker, mismatch in self._mismatches.items() if worker in assigned
        }
        again = []
        for worker, users in assigned.items():
            mismatch = self._mismatches.setdefault(worker, _Mismatch(users, now))
            if mismatch.assigned != users or running[worker] == users:
                # A repeat counts for as long as the assignment stays the same.
                repeated = mismatch.repeated and mismatch.assigned == users
                self._mismatches[worker] = _Mismatch(users, now, repeated)
                continue
            many = running[worker] > users
            grace_s = REPORT_TIMEOUT_S + stop_timeout_s if many else REPORT_TIMEOUT_S
            if now - mismatch.since >= grace_s and (many or not mismatch.repeated):
                self._mismatches[worker] = _Mismatch(users, now, repeated=True)
                again.append(worker)
        return again
