"""A server on raw sockets that does what servers must not; ``attacks.py`` says what."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.integration.fleet_http.certificates import Certificates

# Longer than any client may wait; what is left over then ends.
CLIENT_TIMEOUT_S = 10.0
FINE = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nfine"


class Gone(Exception):
    """The client has closed the connection."""


@dataclass
class Talk:
    """One connection, and the request that is answered on it now."""

    socket: socket.socket
    # How often this path was asked before, on any connection; and anything on this one.
    times: int = 0
    before: int = 0
    head: bytes = b""
    # Of its body, what an attack has read already, in bytes.
    came: int = 0
    rest: bytes = field(default=b"", repr=False)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def slowly(self, data: bytes, pause_s: float) -> None:
        """Send byte by byte."""
        for number in range(len(data)):
            self.send(data[number : number + 1])
            self.wait(pause_s)

    def wait(self, seconds: float = CLIENT_TIMEOUT_S) -> bool:
        """Do nothing; returns whether the client asked meanwhile, Gone as soon as it closes."""
        self.socket.settimeout(seconds)
        try:
            data = self.socket.recv(65536)
        except TimeoutError:
            return False
        finally:
            self.socket.settimeout(CLIENT_TIMEOUT_S)
        if not data:
            raise Gone
        self.rest += data
        return True

    def reset(self) -> None:
        """End the connection as a crash does."""
        linger = struct.pack("ii", 1, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        raise Gone

    def read_head(self) -> bool:
        """Read the next request up to its body; False when there is none."""
        while b"\r\n\r\n" not in self.rest:
            data = self.socket.recv(65536)
            if not data:
                return False
            self.rest += data
        self.head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        return True

    def read_body(self) -> None:
        """Read over the body of the request, which has a length."""
        name = b"content-length:"
        lines = self.head.lower().split(b"\r\n")
        length = int(next((one[len(name) :] for one in lines if one.startswith(name)), b"0"))
        left = length - self.came
        self.came = 0
        while left > len(self.rest):
            left -= len(self.rest)
            self.rest = self.socket.recv(1_000_000)
            if not self.rest:
                raise Gone
        self.rest = self.rest[left:]

    @property
    def path(self) -> str:
        return self.head.split(b" ", 2)[1].decode().partition("?")[0]


Attack = Callable[[Talk], Any]


class Hostile:
    """Listens until it is closed; ``/NAME`` is an attack, ``/fine`` is none."""

    def __init__(
        self,
        attacks: dict[str, Attack],
        proxies: dict[str, Attack],
        certificates: Certificates,
    ) -> None:
        self._attacks, self._proxies = attacks, proxies
        self._listeners: list[socket.socket] = []
        # How often each path was asked, and how many connections were made.
        self.asked: Counter[str] = Counter()
        self.connections = 0
        secure = certificates.context(certificates.server)
        other_name = certificates.context(certificates.other_name)
        full = self._listen(1, None)
        # Who connects now waits forever.
        full.listen(0)
        self._waiting = [connecting(full.getsockname()) for _ in range(4)]
        self.places = {
            "http": self._serve("http", self._plain),
            "tls": self._serve("https", self._secure(secure)),
            "other_name": self._serve("https", self._secure(other_name)),
            "half_tls": self._serve("https", half_handshake),
            "no_tls": self._serve("https", lambda talk: talk.send(b"SSH-2.0-OpenSSH_9\r\n")),
            "silent_tls": self._serve("https", lambda talk: talk.wait()),
            "proxy": self._serve("http", self._proxy),
            "greeting": self._serve("http", self._greeting),
            "full": f"http://127.0.0.1:{full.getsockname()[1]}",
            "authority": str(certificates.authority),
        }

    def take(self) -> tuple[dict[str, int], int]:
        """Return what was asked how often, and the connections; and forget it."""
        asked, connections = dict(self.asked), self.connections
        self.asked.clear()
        self.connections = 0
        return asked, connections

    def close(self) -> None:
        for one in (*self._listeners, *self._waiting):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _serve(self, scheme: str, serve: Attack) -> str:
        listener = self._listen(64, serve)
        return f"{scheme}://localhost:{listener.getsockname()[1]}"

    def _listen(self, backlog: int, serve: Attack | None) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", 0), backlog=backlog)
        self._listeners.append(listener)
        if serve is not None:
            threading.Thread(target=self._accept, args=(listener, serve), daemon=True).start()
        return listener

    def _accept(self, listener: socket.socket, serve: Attack) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=converse, args=(connection, serve), daemon=True).start()

    def _plain(self, talk: Talk) -> None:
        while talk.read_head():
            path = talk.path
            talk.times = self.asked[path]
            self.asked[path] += 1
            self._attacks.get(path.strip("/"), fine)(talk)
            talk.before += 1

    def _secure(self, context: ssl.SSLContext) -> Attack:
        def serve(talk: Talk) -> None:
            with context.wrap_socket(talk.socket, server_side=True) as secure:
                talk.socket = secure
                self._plain(talk)

        return serve

    def _proxy(self, talk: Talk) -> None:
        """Attack who asks for a tunnel to ``ATTACK.test``."""
        if talk.read_head():
            self._proxies[talk.path.partition(".")[0]](talk)

    def _greeting(self, talk: Talk) -> None:
        """Answer before anything was asked."""
        if self.connections == 1:
            talk.send(FINE.replace(b"fine", b"EVIL"))
        self._plain(talk)


def converse(connection: socket.socket, serve: Attack) -> None:
    with contextlib.suppress(OSError, Gone), connection:
        connection.settimeout(CLIENT_TIMEOUT_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        serve(Talk(connection))


def connecting(address: Any) -> socket.socket:
    """Return a socket that has begun to connect."""
    one = socket.socket()
    one.setblocking(False)
    one.connect_ex(address)
    return one


def half_handshake(talk: Talk) -> None:
    """Begin to answer a greeting of TLS, and no more."""
    talk.socket.recv(65536)
    talk.send(b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76")


def fine(talk: Talk) -> None:
    talk.read_body()
    talk.send(FINE[:-4] if talk.head.startswith(b"HEAD") else FINE)
