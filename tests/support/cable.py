"""A way to a server that tests can cut, mend and plug in elsewhere."""

import contextlib
import socket
import threading


class Cable:
    """Forwards to a server. Cut, it keeps its connections and what was sent."""

    def __init__(self, host: str, port: int) -> None:
        self.address = host
        # How many connections there were.
        self.used = 0
        self._to, self._port = (host, port), port
        self._whole = threading.Event()
        self._whole.set()
        self._ends: list[socket.socket] = []
        self._server = socket.create_server((host, 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def env(self) -> dict[str, str]:
        """What makes a worker come to its master by this way."""
        return {"LOCUST_MASTER_NODE_PORT": str(self.port)}

    def cut(self) -> None:
        self._whole.clear()

    def mend(self) -> None:
        self._whole.set()

    def plug_into(self, host: str, port: int | None = None) -> None:
        """End all connections, and lead those to come elsewhere."""
        self._to = (host, port or self._port)
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.mend()
        # Without it, the thread that accepts goes on waiting.
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            self.used += 1
            try:
                far = socket.create_connection(self._to)
            except OSError:
                near.close()
                continue
            self._ends += [near, far]
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._forward, args=(one, other), daemon=True).start()

    def _forward(self, one: socket.socket, other: socket.socket) -> None:
        with one, other, contextlib.suppress(OSError):
            while data := one.recv(65536):
                self._whole.wait()
                other.sendall(data)
