"""One socket of a client: sends and receives bytes, and never waits beyond the deadline.

gevent's own sockets try to receive, fail, start a watcher, wait, stop it and try again: three
system calls for one response. A response is never there yet when its request was just sent, so a
Transport waits first, with one watcher that stays active while the socket is open. If the watcher
fires while nobody waits, the server has closed an idle connection, which is then not used again.

The timer is lazy as well: it keeps running while deadlines move ahead of it, so a request that is
answered in time starts no timer.
"""

from __future__ import annotations

import _socket
from collections.abc import Callable
from time import perf_counter, time
from typing import Any

import gevent
from gevent import getcurrent

from fleet_http.errors import ResponseTimeout

READ, WRITE = 1, 2
# What one system call receives at most.
PART_BYTES = 65536
# If the event loop last polled longer ago, an idle connection is checked before it is used.
STALE_LOOP_S = 0.001


class Transport:
    """A connected TCP or unix socket that belongs to one greenlet at a time."""

    __slots__ = (
        "__weakref__",
        "_due",
        "_hub",
        "_more",
        "_readable",
        "_socket",
        "_timer",
        "_waiting",
        "_writable",
        "deadline",
        "idle",
        "timeout",
    )

    def __init__(self, sock: _socket.socket) -> None:
        sock.setblocking(False)
        self._socket: _socket.socket | None = sock
        self._hub = gevent.get_hub()
        # In seconds of perf_counter(). A greenlet that waits then gets ResponseTimeout, whose
        # message names the timeout.
        self.deadline = 0.0
        self.timeout = 0.0
        # Whether it is in a pool; then the server must not send anything.
        self.idle = False
        self._waiting: Any = None
        self._more = False
        self._due = float("inf")
        self._timer: Any = None
        self._writable: Any = None
        self._readable: Any = self._hub.loop.io(sock.fileno(), READ)
        self._readable.start(self._on_readable)

    @property
    def open(self) -> bool:
        return self._socket is not None

    def receive(self) -> bytes:
        """Return what comes next, b"" at the end of the stream; raises ResponseTimeout, OSError."""
        sock = self._socket
        if sock is None:
            return b""
        # If the last call got a full part, there may be more without waiting.
        if not self._more:
            self._wait_readable()
        while True:
            try:
                data = sock.recv(PART_BYTES)
            except BlockingIOError:
                self._wait_readable()
                continue
            self._more = len(data) == PART_BYTES
            return data

    def send(self, data: bytes | memoryview) -> None:
        """Send all of it; raises ResponseTimeout, OSError."""
        sock = self._socket
        if sock is None:
            raise ConnectionResetError("the connection is closed")
        try:
            sent = sock.send(data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            rest = memoryview(data)[sent:]
            self.send_by(lambda done: sock.send(rest[done : done + PART_BYTES * 4]), len(rest))

    def send_by(self, send: Callable[[int], int], size: int) -> None:
        """Send ``size`` bytes: ``send`` gets how many were sent and returns how many more it sent.

        Raises ResponseTimeout, OSError.
        """
        done = 0
        while done < size:
            try:
                done += send(done)
                self.deadline = perf_counter() + self.timeout
            except BlockingIOError:
                self._wait_writable()

    def fileno(self) -> int:
        """Return the file descriptor, -1 when closed."""
        return self._socket.fileno() if self._socket else -1

    def close(self) -> None:
        """Close the socket; a greenlet that waits for it gets ConnectionResetError."""
        if self._socket is None:
            return
        self.detach().close()
        if self._waiting is not None:
            # From the event loop, like everything else that wakes the greenlet.
            self._hub.loop.run_callback(self._on_closed)

    def detach(self) -> _socket.socket:
        """Return the socket and stop using it; raises ConnectionResetError when it is closed."""
        sock, self._socket = self._socket, None
        if sock is None:
            raise ConnectionResetError("the connection is closed")
        for watcher in (self._readable, self._writable, self._timer):
            if watcher is not None:
                watcher.stop()
                watcher.close()
        self._readable = self._writable = self._timer = None
        return sock

    def _wait(self) -> None:
        if self.deadline < self._due:
            self._set_timer()
        self._waiting = getcurrent()
        try:
            # Only our callbacks end the wait, whatever else may wake the greenlet.
            while self._waiting is not None:
                self._hub.switch()
        finally:
            self._waiting = None

    def _wait_readable(self) -> None:
        if not self._readable.active:
            self._readable.start(self._on_readable)
        self._wait()

    def _wait_writable(self) -> None:
        if self._writable is None:
            self._writable = self._hub.loop.io(self.fileno(), WRITE)
        self._writable.start(self._wake)
        # What the server sends meanwhile is read later.
        self._readable.stop()
        try:
            self._wait()
        finally:
            if self._writable is not None:
                self._writable.stop()

    def _set_timer(self) -> None:
        left = self.deadline - perf_counter()
        if self._timer is not None:
            self._timer.stop()
            self._timer.close()
        self._due = self.deadline
        if left == float("inf"):
            return
        self._timer = self._hub.loop.timer(max(left, 0.0))
        self._timer.start(self._on_timer)

    def _wake(self) -> None:
        waiting = self._waiting
        if waiting is not None:
            self._waiting = None
            waiting.switch()

    def _on_readable(self) -> None:
        waiting = self._waiting
        if waiting is not None:
            self._waiting = None
            waiting.switch()
        elif self.idle:
            self.on_idle_bytes()
        else:
            # Nobody reads yet, and an active watcher would make the event loop spin.
            self._readable.stop()

    def is_usable(self) -> bool:
        """Tell whether an idle connection is open, also if the event loop has not polled it."""
        sock = self._socket
        if sock is None:
            return False
        if time() - self._hub.loop.now() > STALE_LOOP_S:
            try:
                sock.recv(1, _socket.MSG_PEEK)
            except BlockingIOError:
                pass
            except OSError:
                self.close()
            else:
                self.on_idle_bytes()
        return self.open

    def on_idle_bytes(self) -> None:
        """Close: bytes that nobody asked for would be taken for the next response."""
        self.close()

    def _on_closed(self) -> None:
        waiting = self._waiting
        if waiting is not None:
            self._waiting = None
            waiting.throw(ConnectionResetError("the connection is closed"))

    def _on_timer(self) -> None:
        self._due = float("inf")
        waiting = self._waiting
        if waiting is None:
            return
        if perf_counter() < self.deadline:
            self._set_timer()
            return
        self._waiting = None
        waiting.throw(ResponseTimeout(f"no response within {self.timeout:g} s"))
