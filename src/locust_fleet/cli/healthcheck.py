"""``locust-fleet healthcheck``: ask a health page, at little more cost than starting Python."""

from __future__ import annotations

import socket
import sys

HEALTH_URL = "http://127.0.0.1:8080/health"
ANSWER_TIMEOUT_S = 3.0
# Enough for the status line.
MOST_BYTES = 64


def healthcheck(url: str) -> int:
    """Return 0 if an http:// URL answers 200, else 1 with the reason on stderr."""
    try:
        status = _status(url)
    except OSError as error:
        print(f"locust-fleet: {url}: {error}", file=sys.stderr)
        return 1
    if status != "200":
        print(f"locust-fleet: {url}: answered {status or 'nothing'}", file=sys.stderr)
        return 1
    return 0


def _status(url: str) -> str:
    place, _, path = url.removeprefix("http://").partition("/")
    host, _, port = place.partition(":")
    if not url.startswith("http://") or not (port or "80").isdecimal():
        raise OSError("use http://HOST[:PORT]/PATH")
    with socket.create_connection((host, int(port or 80)), ANSWER_TIMEOUT_S) as connection:
        request = f"GET /{path} HTTP/1.1\r\nHost: {place}\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        answer = connection.recv(MOST_BYTES)
    version, _, rest = answer.partition(b" ")
    return rest[:3].decode("latin-1") if version.startswith(b"HTTP/") else ""
