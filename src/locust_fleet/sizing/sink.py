"""An HTTP server that discards the bodies of requests: the target of a measurement.

Usage: python -m locust_fleet.sizing.sink

It prints its port, and ends when its standard input is closed.
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
    """Answer the requests of one connection until the client closes it."""
    buffer = memoryview(bytearray(1 << 20))
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
                received_bytes = connection.recv_into(buffer, min(left, len(buffer)))
                if not received_bytes:
                    return
                left -= received_bytes
            connection.sendall(ANSWER)


def main() -> None:
    """Serve until the standard input is closed."""
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
