"""A server that says what a test tells it to, byte for byte."""

from locust.env import Environment
from locust.event import Events

from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent.server import StreamServer
from gevent.socket import socket

from locust_fleet.users import FleetHttpUser

ADDRESS = "127.0.0.81"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

# Bytes of an answer, pauses in seconds between them; None closes the connection.
Script = list[bytes | float | None]


class Wire:
    """Reads requests and answers each by the next script, the last one again and again."""

    def __init__(self) -> None:
        self.scripts: list[Script] = [[OK]]
        self.heads: list[str] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self._server = StreamServer((ADDRESS, 0), self._serve)
        self._server.start()
        self.port = self._server.server_port
        self.url = f"http://{ADDRESS}:{self.port}"

    def answers(self, *scripts: bytes | Script) -> None:
        self.scripts = [[script] if isinstance(script, bytes) else script for script in scripts]

    def _serve(self, sock: socket, _: Any) -> None:
        self.connections += 1
        data = b""
        try:
            while True:
                while b"\r\n\r\n" not in data:
                    data += self._received(sock)
                head, _, data = data.partition(b"\r\n\r\n")
                length = _length(head)
                while len(data) < length:
                    data += self._received(sock)
                self.heads.append(head.decode("latin-1"))
                self.bodies.append(data[:length])
                data = data[length:]
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


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


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
