"""What can happen to a container. Each fault that lasts is a context, which ends it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from tests.support.containers import look_at
from tests.support.engine import docker

# From workers to the leader, and to the Redis of the stack.
LINKS = ("5557", "6380")


def crash(container: str) -> None:
    """Kill its processes, as the kernel would; the engine starts it again."""
    os.kill(pid_of(container), signal.SIGKILL)


@contextmanager
def stopped(container: str) -> Iterator[None]:
    """Stop a container in order, and start it again in the end."""
    docker("stop", container)
    try:
        yield
    finally:
        docker("start", container)


@contextmanager
def killed(*containers: str) -> Iterator[None]:
    """Kill containers so that they stay away, and start them again in the end."""
    docker("kill", *containers)
    try:
        yield
    finally:
        docker("start", *containers)


@contextmanager
def paused(container: str) -> Iterator[None]:
    """Let all its processes hang."""
    docker("pause", container)
    try:
        yield
    finally:
        docker("unpause", container)


@contextmanager
def silenced(container: str) -> Iterator[None]:
    """Drop what it sends to and gets from leader and Redis; its target can be reached."""
    rules = [
        (chain, "-p", "tcp", port, link, "-j", "DROP")
        for link in LINKS
        for chain in ("INPUT", "OUTPUT")
        for port in ("--sport", "--dport")
    ]
    pid = pid_of(container)
    for rule in rules:
        _firewall(pid, "-A", *rule)
    try:
        yield
    finally:
        try:
            for rule in rules:
                _firewall(pid, "-D", *rule)
        except subprocess.CalledProcessError:
            # A leader that learns that its time is over ends, and its network with it.
            if psutil.pid_exists(pid):
                raise


@contextmanager
def unplugged(container: str) -> Iterator[None]:
    """Take a container out of all its networks; it may come back under other addresses."""
    [known] = look_at(container)
    networks = known["NetworkSettings"]["Networks"]
    for network in networks:
        docker("network", "disconnect", network, container)
    try:
        yield
    finally:
        for network, settings in networks.items():
            aliases = [word for alias in settings["Aliases"] for word in ("--alias", alias)]
            docker("network", "connect", *aliases, network, container)


def pid_of(container: str) -> int:
    """Return the first process of a container, as the host counts them."""
    [known] = look_at(container)
    return int(known["State"]["Pid"])


def _firewall(pid: int, *rule: str) -> None:
    command = ("nsenter", "--target", str(pid), "--net", "iptables", "--wait", *rule)
    subprocess.run(command, check=True, capture_output=True)
