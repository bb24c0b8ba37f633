"""Calculate what a test needs. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from locust_fleet.sizing.quantities import bits, size_of

# The highest sensible load of a worker's core. Beyond it, users wait for each other, and their
# response times include that wait.
BUSY_GOAL = 0.6
# A warning comes above this part of what the machine has.
WARNING_PART = 0.8
# For the master, nginx and the stores.
CORES_OF_THE_REST = 1
# Measured: the idle stack without workers, and one worker (scripts/lib/machine.sh).
MEMORY_OF_THE_REST = 900_000_000
MEMORY_OF_A_WORKER = 120_000_000


@dataclass(frozen=True)
class Load:
    """Users who each send a file of ``file_bytes`` every ``interval_s`` seconds."""

    users: int
    file_bytes: int
    interval_s: float

    @property
    def requests_per_s(self) -> float:
        return self.users / self.interval_s

    @property
    def bits_per_s(self) -> float:
        """Bits of files; the wire carries 6 % more, as a packet of 1448 bytes takes 1538."""
        return 8 * self.file_bytes * self.requests_per_s


@dataclass(frozen=True)
class Cost:
    """What a request takes of a worker in CPU seconds, and a user in bytes of memory."""

    cpu_s: float
    user_bytes: int

    def most_users(self, interval_s: float) -> int:
        """Return how many users load a worker up to BUSY_GOAL."""
        return max(1, math.floor(BUSY_GOAL * interval_s / self.cpu_s))


@dataclass(frozen=True)
class Machine:
    """A machine; a link of None is unknown."""

    cores: float
    memory_bytes: int
    link_bits_per_s: float | None


@dataclass(frozen=True)
class Size:
    """What a test needs, with a sentence for each limit of the machine that it would reach."""

    workers: int
    users_of_worker: int
    busy_of_worker: float
    cores: int
    memory_bytes: int
    bits_per_s: float
    bits_per_s_of_worker: float
    warnings: tuple[str, ...]


def size(load: Load, users_per_worker: int, cost: Cost, machine: Machine) -> Size:
    """Return what a test needs on one machine, with at most ``users_per_worker`` on a worker."""
    workers = math.ceil(load.users / users_per_worker)
    users_of_worker = math.ceil(load.users / workers)
    busy_of_worker = users_of_worker * cost.cpu_s / load.interval_s
    busy = load.requests_per_s * cost.cpu_s
    # All users of a worker send the same file, which is in memory once.
    memory = MEMORY_OF_THE_REST + load.users * cost.user_bytes
    memory += workers * (MEMORY_OF_A_WORKER + load.file_bytes)
    return Size(
        workers=workers,
        users_of_worker=users_of_worker,
        busy_of_worker=busy_of_worker,
        cores=math.ceil(busy / WARNING_PART) + CORES_OF_THE_REST,
        memory_bytes=memory,
        bits_per_s=load.bits_per_s,
        bits_per_s_of_worker=load.bits_per_s * users_of_worker / load.users,
        warnings=tuple(_warnings(load, busy, busy_of_worker, memory, machine)),
    )


def _warnings(
    load: Load, busy: float, busy_of_worker: float, memory: int, machine: Machine
) -> list[str]:
    found = []
    if busy_of_worker > WARNING_PART:
        found.append(
            f"each worker would be {busy_of_worker:.0%} busy; use fewer users per worker,"
            " or response times include waiting for the CPU"
        )
    if busy + CORES_OF_THE_REST > WARNING_PART * machine.cores:
        found.append(
            f"{busy + CORES_OF_THE_REST:.1f} of {machine.cores:g} cores would be busy;"
            " put workers on more machines"
        )
    if memory > WARNING_PART * machine.memory_bytes:
        found.append(
            f"{size_of(memory)} of {size_of(machine.memory_bytes)} of memory would be in use;"
            " put workers on more machines"
        )
    link = machine.link_bits_per_s
    if link and load.bits_per_s > WARNING_PART * link:
        found.append(
            f"{bits(load.bits_per_s)} is {load.bits_per_s / link:.0%} of the link of {bits(link)};"
            " put workers on more machines, or use a faster link"
        )
    return found
