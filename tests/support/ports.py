"""Ports for servers that tests start."""

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from itertools import cycle


def free_port(address: str) -> int:
    """Return a port that nobody listens on, and that no other process of these tests is given."""
    for port in ports_of_this_process():
        with socket.socket() as probe, suppress(OSError):
            probe.bind((address, port))
            return port
    raise AssertionError("unreachable: the ports come again and again")


@cache
def ports_of_this_process() -> Iterator[int]:
    """Yield ports below those that the kernel gives away, each as late again as can be.

    What the kernel calls free may be taken, by another test, before who asked listens on it.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    ports = range(12_000 + 2_000 * (worker % 10), 14_000 + 2_000 * (worker % 10))
    # Another run of tests begins elsewhere.
    begin = os.getpid() * 37 % len(ports)
    return cycle([*ports[begin:], *ports[:begin]])
