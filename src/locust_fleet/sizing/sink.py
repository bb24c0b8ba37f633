"""Take requests and throw their bodies away: the target of a measurement, for a few connections.

Usage: python -m locust_fleet.sizing.sink

Prints its port, and ends with its standard input.
"""

from __future__ import annotations

import contextlib
import re
import socket
import sys
import threading

ADDRESS = "127.0.0.1"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


def serve(connection: socket.socket) -> None:
    """Answer the requests of one connection."""
    room = memoryview(bytearray(1 << 20))
    begun = b""
    with connection, contextlib.suppress(OSError):
        while True:
            while b"\r\n\r\n" not in begun:
                received = connection.recv(65536)
                if not received:
                    return
                begun += received
            head, _, body = begun.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            left, begun = int(length[1]) - len(body) if length else 0, b""
            while left > 0:
                received_bytes = connection.recv_into(room, min(left, len(room)))
                if not received_bytes:
                    return
                left -= received_bytes
            connection.sendall(ANSWER)


def main() -> None:
    """Serve until nobody holds the other end of the standard input."""
    with socket.create_server((ADDRESS, 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        threading.Thread(target=_accept, args=(listener,), daemon=True).start()
        sys.stdin.read()


def _accept(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
