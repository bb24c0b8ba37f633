"""An HTTP/1.1 server that writes down all that it is asked, on every kind of socket."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable
from io import BufferedReader
from pathlib import Path
from typing import Any

from tests.integration.fleet_http.answers import Answer, answer_to
from tests.integration.fleet_http.certificates import Certificates
from tests.integration.fleet_http.request import Request, read_request

# Longer than any scenario takes: only what a client forgot is ended by it.
CLIENT_TIMEOUT_S = 20.0

Wrap = Callable[[socket.socket], socket.socket]


class Recorder:
    """Listens until it is closed; ``seen`` is what came since the last ``take``."""

    def __init__(self, folder: Path, certificates: Certificates) -> None:
        self._seen: list[dict[str, Any]] = []
        self._connections: list[int] = []
        self._lock = threading.Lock()
        self._listeners: list[socket.socket] = []
        secure = certificates.context(certificates.server)
        other_name = certificates.context(certificates.other_name)
        old = certificates.context(certificates.server)
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        asking = certificates.context(certificates.server, ask_client=True)
        local = ("127.0.0.1", 0)
        unix = folder / "recorder.sock"
        self.places: dict[str, Any] = {
            "http": f"http://127.0.0.1:{self._listen(local)}",
            "other": f"http://127.0.0.1:{self._listen(local)}",
            "ipv6": f"http://[::1]:{self._listen(('::1', 0))}",
            "https": f"https://localhost:{self._listen(local, secure)}",
            "https_1_2": f"https://localhost:{self._listen(local, old)}",
            "other_name": f"https://localhost:{self._listen(local, other_name)}",
            "asking": f"https://localhost:{self._listen(local, asking)}",
            "proxy": f"http://127.0.0.1:{self._listen(local)}",
            "unix": str(unix),
            "authority": str(certificates.authority),
            "client": str(certificates.client),
        }
        self._listen(str(unix))

    def take(self) -> list[dict[str, Any]]:
        """Return what was asked, by connections numbered from 0, and forget it."""
        with self._lock:
            seen, self._seen = self._seen, []
        numbers: dict[int, int] = {}
        for one in seen:
            one["connection"] = numbers.setdefault(one["connection"], len(numbers))
        return seen

    def close(self) -> None:
        for listener in self._listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _listen(self, at: tuple[str, int] | str, tls: ssl.SSLContext | None = None) -> int:
        family = socket.AF_INET
        if isinstance(at, str):
            family = socket.AF_UNIX
        elif ":" in at[0]:
            family = socket.AF_INET6
        listener = socket.create_server(at, family=family, backlog=64)
        self._listeners.append(listener)
        threading.Thread(target=self._accept, args=(listener, tls), daemon=True).start()
        return 0 if isinstance(at, str) else int(listener.getsockname()[1])

    def _accept(self, listener: socket.socket, tls: ssl.SSLContext | None) -> None:
        number = id(listener)
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            number += 1
            threading.Thread(
                target=self._serve, args=(connection, tls, number), daemon=True
            ).start()

    def _serve(self, connection: socket.socket, tls: ssl.SSLContext | None, number: int) -> None:
        # What a client breaks off is its own affair; the scenario tells what it expects.
        with contextlib.suppress(OSError, ValueError), contextlib.ExitStack() as ends:
            ends.enter_context(connection)
            connection.settimeout(CLIENT_TIMEOUT_S)
            if tls is not None:
                connection = ends.enter_context(tls.wrap_socket(connection, server_side=True))
            if connection.family != socket.AF_UNIX:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            reader = ends.enter_context(connection.makefile("rb"))
            while self._exchange(connection, reader, number):
                pass

    def _exchange(self, connection: socket.socket, reader: BufferedReader, number: int) -> bool:
        """Take a request and answer it; returns whether the connection goes on."""
        if not reader.peek(1)[:1].isalpha():
            # A greeting of TLS, say: it has no lines to wait for.
            return False
        request = read_request(reader, connection.sendall)
        if request is None:
            return False
        with self._lock:
            kind = "unix" if connection.family == socket.AF_UNIX else type(connection).__name__
            self._seen.append({"connection": number, "socket": kind, **request.record()})
        if request.method == "CONNECT":
            tunnel(connection, reader, request)
            return False
        answer = answer_to(request)
        send(connection, answer)
        return answer.goes_on


def send(connection: socket.socket, answer: Answer) -> None:
    for part in answer.parts:
        if isinstance(part, bytes):
            connection.sendall(part)
        else:
            threading.Event().wait(part)


def tunnel(connection: socket.socket, reader: BufferedReader, request: Request) -> None:
    """Do as a proxy does once it was asked to CONNECT."""
    if request.target.startswith("refused.test"):
        connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
        return
    port = int(request.target.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), CLIENT_TIMEOUT_S) as far:
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")

        def back() -> None:
            with contextlib.suppress(OSError):
                while data := far.recv(65536):
                    connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)

        threading.Thread(target=back, daemon=True).start()
        while data := reader.read1(65536):
            far.sendall(data)
