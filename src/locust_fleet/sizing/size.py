"""Decide what a test needs. Looks at nothing but its arguments."""

from __future__ import annotations

import math
from dataclasses import dataclass

from locust_fleet.sizing.quantities import bits, size_of

# A worker should be busy for at most this part of its core: beyond, its users wait for each other,
# and count that as response time.
BUSY_GOAL = 0.6
# Above this part of what is there, it is said.
MOST = 0.8
# For the master, the front and the stores, beside the workers.
CORES_OF_THE_REST = 1
# Measured: everything but the workers when idle, and one worker (scripts/lib/machine.sh).
MEMORY_OF_THE_REST = 900_000_000
MEMORY_OF_A_WORKER = 120_000_000


@dataclass(frozen=True)
class Load:
    """Users who each send a file of so many bytes every so many seconds."""

    users: int
    file_bytes: int
    interval_s: float

    @property
    def requests_per_s(self) -> float:
        return self.users / self.interval_s

    @property
    def bits_per_s(self) -> float:
        """On the wire some 6 % more: each packet of 1448 bytes takes 1538."""
        return 8 * self.file_bytes * self.requests_per_s


@dataclass(frozen=True)
class Cost:
    """What a request and a user take of a worker."""

    cpu_s: float
    user_bytes: int

    def most_users(self, interval_s: float) -> int:
        """Return how many users keep a worker as busy as it should be at most."""
        return max(1, math.floor(BUSY_GOAL * interval_s / self.cpu_s))


@dataclass(frozen=True)
class Machine:
    """What there is; a link of None is not known."""

    cores: float
    memory_bytes: int
    link_bits_per_s: float | None


@dataclass(frozen=True)
class Size:
    """What a test needs, and what would be in its way."""

    workers: int
    users_of_worker: int
    busy_of_worker: float
    cores: int
    memory_bytes: int
    bits_per_s: float
    bits_per_s_of_worker: float
    warnings: tuple[str, ...]


def size(load: Load, users_per_worker: int, cost: Cost, machine: Machine) -> Size:
    """Return what a test needs on one machine with so many users per worker at most."""
    workers = math.ceil(load.users / users_per_worker)
    users_of_worker = math.ceil(load.users / workers)
    busy_of_worker = users_of_worker * cost.cpu_s / load.interval_s
    busy = load.requests_per_s * cost.cpu_s
    # All users of a worker send the same bytes, which it has once.
    memory = MEMORY_OF_THE_REST + load.users * cost.user_bytes
    memory += workers * (MEMORY_OF_A_WORKER + load.file_bytes)
    return Size(
        workers=workers,
        users_of_worker=users_of_worker,
        busy_of_worker=busy_of_worker,
        cores=math.ceil(busy / MOST) + CORES_OF_THE_REST,
        memory_bytes=memory,
        bits_per_s=load.bits_per_s,
        bits_per_s_of_worker=load.bits_per_s * users_of_worker / load.users,
        warnings=tuple(_warnings(load, busy, busy_of_worker, memory, machine)),
    )


def _warnings(
    load: Load, busy: float, busy_of_worker: float, memory: int, machine: Machine
) -> list[str]:
    found = []
    if busy_of_worker > MOST:
        found.append(
            f"each worker would be {busy_of_worker:.0%} busy; use fewer users per worker,"
            " or response times include waiting for it"
        )
    if busy + CORES_OF_THE_REST > MOST * machine.cores:
        found.append(
            f"{busy + CORES_OF_THE_REST:.1f} of {machine.cores:g} cores would be busy;"
            " put workers on more machines"
        )
    if memory > MOST * machine.memory_bytes:
        found.append(
            f"{size_of(memory)} of {size_of(machine.memory_bytes)} of memory would be in use;"
            " put workers on more machines"
        )
    link = machine.link_bits_per_s
    if link and load.bits_per_s > MOST * link:
        found.append(
            f"{bits(load.bits_per_s)} is {load.bits_per_s / link:.0%} of the link of {bits(link)};"
            " put workers on more machines, or use a faster link"
        )
    return found
