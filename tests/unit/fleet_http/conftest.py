"""A server that says what a test tells it to, byte for byte."""

from locust.env import Environment
from locust.event import Events

import re
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent import ssl
from gevent.server import StreamServer
from gevent.socket import socket

from locust_fleet.users import FleetHttpUser

ADDRESS = "127.0.0.81"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

# Bytes of a response, pauses in seconds between them; None closes the connection.
Script = list[bytes | float | None]


class Wire:
    """Reads requests and answers each by the next script, the last one again and again."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.scripts: list[Script] = [[OK]]
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        # What to do about Expect: 100-continue.
        self.waits = False
        self.refuses = b""
        # Of each TLS connection, whether it went on with a session.
        self.resumed: list[bool] = []
        secured: dict[str, Any] = {"ssl_context": tls} if tls else {}
        self._server = StreamServer((ADDRESS, 0), self.serve, **secured)
        self._server.start()
        self.port = self._server.server_port
        self.url = f"http{'s' if tls else ''}://{ADDRESS}:{self.port}"

    def answers(self, *scripts: bytes | Script) -> None:
        self.scripts = [[script] if isinstance(script, bytes) else script for script in scripts]

    def serve(self, sock: socket, _: Any) -> None:
        self.connections += 1
        if isinstance(sock, ssl.SSLSocket):
            self.resumed.append(bool(sock.session_reused))
        data = b""
        try:
            while True:
                while b"\r\n\r\n" not in data:
                    data += self._received(sock)
                head, _, data = data.partition(b"\r\n\r\n")
                self.heads.append(head.decode("latin-1"))
                if self.refuses:
                    sock.sendall(self.refuses)
                    continue
                if self.waits:
                    assert not data
                    sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                body, data = self._body(sock, head.lower(), data)
                self.bodies.append(body)
                script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
                for step in script:
                    if step is None:
                        return
                    if isinstance(step, bytes):
                        sock.sendall(step)
                    else:
                        gevent.sleep(step)
        except OSError:
            pass

    def _body(self, sock: socket, head: bytes, data: bytes) -> tuple[bytes, bytes]:
        """Return the body and what follows it."""
        if b"transfer-encoding: chunked" in head:
            while not data.endswith(b"0\r\n\r\n"):
                data += self._received(sock)
            return b"".join(data.split(b"\r\n")[1:-3:2]), b""
        found = re.search(rb"content-length: (\d+)", head)
        length = int(found[1]) if found else 0
        parts, have = [data], len(data)
        while have < length:
            parts.append(self._received(sock))
            have += len(parts[-1])
        data = b"".join(parts)
        return data[:length], data[length:]

    @staticmethod
    def _received(sock: socket) -> bytes:
        data = sock.recv(65536)
        if not data:
            raise ConnectionResetError
        return bytes(data)

    def headers(self, number: int = -1) -> dict[str, str]:
        lines = self.heads[number].split("\r\n")[1:]
        return {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}

    def line(self, number: int = -1) -> str:
        return self.heads[number].split("\r\n")[0]

    def stop(self) -> None:
        self._server.stop(timeout=0)


@pytest.fixture
def wire() -> Iterator[Wire]:
    server = Wire()
    yield server
    server.stop()


NewUser = Callable[..., FleetHttpUser]


@pytest.fixture
def new_user(wire: Wire) -> Iterator[NewUser]:
    """Return a maker of users of the wire, whose attributes a test may choose."""
    users: list[FleetHttpUser] = []

    def make(**attributes: Any) -> FleetHttpUser:
        environment = Environment(user_classes=[], events=Events())
        environment.create_local_runner()
        chosen = {"host": wire.url, "network_timeout": 5.0, **attributes}
        user: FleetHttpUser = type("Shopper", (FleetHttpUser,), chosen)(environment)
        users.append(user)
        return user

    yield make
    for user in users:
        user.client.close()


@pytest.fixture
def user(new_user: NewUser) -> FleetHttpUser:
    return new_user()
