"""``locust-fleet plan``: read the size of this machine, and print what a test needs."""

from __future__ import annotations

import argparse
import math
import os
import re
import sys
from pathlib import Path

from locust_fleet.errors import SettingsError
from locust_fleet.settings.fleet import allowed_targets
from locust_fleet.sizing.quantities import BITS, BYTES, SECONDS, bits, quantity, size_of
from locust_fleet.sizing.size import BUSY_GOAL, Cost, Load, Machine, Size, size

# The default: low, because users may do more than send files.
USERS_PER_WORKER = 150
# Measured with FleetHttpUser on a core of 2.6 GHz. A small request after a pause takes 0.06 ms,
# rounded up here; a file of 17.5 MB takes 6.5 ms in a deployed stack, half of that over loopback.
CPU_S_PER_REQUEST = 0.0001
CPU_S_PER_BYTE = 1 / 2.7e9
# Measured with 500 FleetHttpUsers who upload at the same time (tests/bench/http_users.py).
BYTES_PER_USER = 20_000
# Values beyond these are mistakes, and floats would no longer be exact.
MOST, SHORTEST_S = 1e15, 0.001


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``plan``."""
    parser = subparsers.add_parser("plan", help="print what a test of a given size needs")
    parser.add_argument("--users", required=True)
    parser.add_argument("--file-size", default="0B", help="what a request sends, such as 17.5MB")
    parser.add_argument("--interval", default="1s", help="between two requests of a user")
    parser.add_argument("--users-per-worker", help="at most; default: measured, or 150")
    parser.add_argument("--link", help="of this machine, such as 10Gbit; default: its network card")
    parser.add_argument("--measure", action="store_true", help="measure the cost of a request here")
    parser.add_argument("--host", help="the URL to measure with; default: a server of its own")
    parser.add_argument("--seconds", type=float, default=10, help="how long to measure")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print what the test needs, and warnings to stderr; SettingsError names a wrong argument."""
    load = Load(
        _whole("--users", arguments.users),
        round(_quantity("--file-size", arguments.file_size, BYTES)),
        _quantity("--interval", arguments.interval, SECONDS),
    )
    if load.interval_s < SHORTEST_S:
        raise SettingsError(f"--interval is '{arguments.interval}'; use at least 1ms")
    if not 0 < arguments.seconds < math.inf:
        raise SettingsError(f"--seconds is {arguments.seconds:g}; use a number above 0")
    given = arguments.users_per_worker
    users_per_worker = _whole("--users-per-worker", given) if given else None
    machine = _machine(arguments)
    # After all checks, because a measurement takes ten seconds.
    cost = Cost(_cpu_s(arguments, load), BYTES_PER_USER)
    if users_per_worker is None:
        measured = arguments.measure
        users_per_worker = cost.most_users(load.interval_s) if measured else USERS_PER_WORKER
    needed = size(load, users_per_worker, cost, machine)
    _print(load, cost, needed, users_per_worker)
    for warning in needed.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    return 0


def _cpu_s(arguments: argparse.Namespace, load: Load) -> float:
    if not arguments.measure:
        if arguments.host:
            raise SettingsError("--host is only used with --measure; add --measure")
        return CPU_S_PER_REQUEST + load.file_bytes * CPU_S_PER_BYTE
    if arguments.host:
        allowed = allowed_targets(os.environ)
        if not allowed.allows_url(arguments.host):
            raise SettingsError(allowed.refusal(arguments.host))
    from locust_fleet.sizing.measure import cpu_of_a_request

    return cpu_of_a_request(load, arguments.host, arguments.seconds)


def _machine(arguments: argparse.Namespace) -> Machine:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    link = _quantity("--link", arguments.link, BITS) if arguments.link else link_of(Path("/sys"))
    return Machine(len(os.sched_getaffinity(0)), memory, link)


def link_of(sys_folder: Path) -> float | None:
    """Return the bits per second of the fastest network card, None if no card tells its speed.

    In a container there is only a virtual interface, which is not a device and says 10 Gbit/s.
    """
    speeds = []
    for card in (sys_folder / "class" / "net").glob("*"):
        try:
            if (card / "device").exists():
                speeds.append(int((card / "speed").read_text(encoding="ascii")))
        except (OSError, ValueError):
            continue
    fastest = max(speeds, default=0)
    return fastest * BITS["Mbit"] if fastest > 0 else None


def _print(load: Load, cost: Cost, needed: Size, users_per_worker: int) -> None:
    sends = f"{size_of(load.file_bytes)} every" if load.file_bytes else "a request every"
    print(f"{load.users} users, each {sends} {load.interval_s:g} s: {load.requests_per_s:.3g}/s")
    print(
        f"workers     {needed.workers}, each {needed.users_of_worker} users of {users_per_worker}"
    )
    print(f"cores       {needed.cores}, each worker {needed.busy_of_worker:.0%} busy")
    print(f"memory      {size_of(needed.memory_bytes)}")
    print(f"bandwidth   {bits(needed.bits_per_s)}, each worker {bits(needed.bits_per_s_of_worker)}")
    print(
        f"A request costs {1000 * cost.cpu_s:.3g} ms of CPU, so a worker that is"
        f" {BUSY_GOAL:.0%} busy can have {cost.most_users(load.interval_s)} such users."
    )


def _whole(name: str, value: str) -> int:
    if not re.fullmatch("0*[1-9][0-9]{0,8}", value):
        raise SettingsError(f"{name} is '{value}'; use a whole number from 1 to 999999999")
    return int(value)


def _quantity(name: str, value: str, units: dict[str, float]) -> float:
    try:
        found = quantity(value, units)
    except ValueError as error:
        raise SettingsError(f"{name} is {error}") from None
    if found > MOST:
        raise SettingsError(f"{name} is '{value}'; use less")
    return found
