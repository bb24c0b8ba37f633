"""A target that answers at once and knows when each request arrived, by the clock of the kernel.

Usage: python -m tests.integration.users.target ADDRESS PORT

GET /times returns the arrivals since the last such question, in nanoseconds since 1970, one a line;
they are no matter of when this process got its turn.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.support.checkout import ROOT
from tests.support.ports import free_port
from tests.support.waiting import wait_until

# Of Linux, and not in Python's socket: SO_TIMESTAMPNS and what it sends along.
SO_TIMESTAMPNS = 35
TIMESPEC = struct.Struct("qq")
ROOM = socket.CMSG_SPACE(TIMESPEC.size)
OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"


class Target:
    """Knows when each request arrived."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.times: list[float] = []

    def look(self) -> list[float]:
        """Return all arrivals so far, in seconds since 1970."""
        with urllib.request.urlopen(f"{self.url}/times", timeout=10) as answer:
            self.times += [int(line) / 1e9 for line in answer.read().split()]
        return self.times

    def wait_for(self, arrivals: int) -> None:
        wait_until(lambda: len(self.look()) >= arrivals, f"{arrivals} arrivals")

    def since(self, at: float) -> list[float]:
        return [arrival for arrival in self.look() if arrival >= at]


@contextlib.contextmanager
def target(address: str, log: Path) -> Iterator[Target]:
    """Yield a target in a process of its own, which writes to ``log``."""
    port = free_port(address)
    command = (sys.executable, "-m", "tests.integration.users.target", address, str(port))
    out = log.open("wb")
    with out, subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out) as process:
        try:
            found = Target(f"http://{address}:{port}")
            wait_until(lambda: answers(found), "the target answering")
            yield found
        finally:
            process.kill()


def answers(found: Target) -> bool:
    try:
        found.look()
    except OSError:
        return False
    return True


def main(address: str, port: int) -> None:
    times: list[int] = []
    server = socket.create_server((address, port), backlog=1000)
    # From the first such socket on, the kernel needs a moment until it looks at its clock.
    server.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    connections = {server.fileno(): server}
    poll = select.epoll()
    poll.register(server, select.EPOLLIN)
    while True:
        for number, _ in poll.poll():
            if number == server.fileno():
                connection, _ = server.accept()
                connection.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connections[connection.fileno()] = connection
                poll.register(connection, select.EPOLLIN)
            elif not answer(connections[number], times):
                poll.unregister(number)
                connections.pop(number).close()


def answer(connection: socket.socket, times: list[int]) -> bool:
    """Answer a request, which comes in one piece; returns whether the connection stays open."""
    with contextlib.suppress(OSError):
        request, sent_along, *_ = connection.recvmsg(65536, ROOM)
        if not request:
            return False
        if request.startswith(b"GET /times"):
            body = "\n".join(map(str, times)).encode()
            times.clear()
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.settimeout(10)
            connection.sendall(head.encode() + body)
        else:
            times.append(received_ns(sent_along))
            connection.sendall(OK)
        return True
    return False


def received_ns(sent_along: list[tuple[int, int, bytes]]) -> int:
    for level, kind, data in sent_along:
        if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
            seconds, nanoseconds = TIMESPEC.unpack(data[: TIMESPEC.size])
            return int(seconds * 10**9 + nanoseconds)
    return time.time_ns()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
