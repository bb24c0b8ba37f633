"""A server that says given bytes in given parts, each one once the one before was read."""

from __future__ import annotations

import contextlib
import fcntl
import socket
import struct
import termios
import threading
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from tests.integration.fleet_http.hostile import FINE
from tests.integration.fleet_http.messages import Message

# How long a client may take to read a part, in s.
CLIENT_TIMEOUT_S = 5.0


class Speaker:
    """Listens on a unix socket, whose writer can see what was not read yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._listener = socket.create_server(str(path), family=socket.AF_UNIX, backlog=16)
        self._message = Message(FINE, stays=True)
        self._cuts: Sequence[int] = ()
        threading.Thread(target=self._accept, daemon=True).start()

    def says(self, message: Message, cuts: Sequence[int]) -> None:
        """From now on, ``/message`` is answered so; ``/fine`` as ever."""
        self._message, self._cuts = message, cuts

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.settimeout(CLIENT_TIMEOUT_S)
            goes_on = True
            while goes_on and (head := read_head(connection)):
                if b" /message " in head:
                    self._say(connection)
                    goes_on = self._message.stays
                else:
                    connection.sendall(FINE)

    def _say(self, connection: socket.socket) -> None:
        data = self._message.data
        ends = sorted({0, len(data), *(cut % (len(data) + 1) for cut in self._cuts)})
        for start, end in pairwise(ends):
            connection.sendall(data[start:end])
            deadline = time.monotonic() + CLIENT_TIMEOUT_S
            while unread(connection) and time.monotonic() < deadline:
                time.sleep(0)


def read_head(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            return b""
        data += part
    return data


def unread(connection: socket.socket) -> int:
    """Return how many bytes the other side has not read, about (SIOCOUTQ, unix(7))."""
    told = fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4))
    return int(struct.unpack("i", told)[0])
