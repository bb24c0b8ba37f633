"""Pass requests on to a registry, unless told otherwise: as slow, broken and absent as a file says.

A program of its own, run beside the registry in the network of the engine. It reads ``way.json`` in
its folder at each request, and writes down in ``asked`` what it was asked for.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ADDRESS, PORT, REGISTRY_PORT = "127.0.0.1", 5000, 5001
# Less is no layer, but what describes an image.
SMALLEST_LAYER = 10_000


@dataclass
class Faults:
    """What is wrong with the way; nothing, as long as nobody says so."""

    # Seconds until the first word about a repository.
    slow: dict[str, float] = field(default_factory=dict)
    # In a layer of this repository the way breaks off, and is gone then.
    breaks_at: str = ""
    gone: bool = False
    # So many manifests are refused before one is given.
    refusals: int = 0


def read_faults(folder: Path) -> Faults:
    with suppress(FileNotFoundError):
        return Faults(**json.loads((folder / "way.json").read_text(encoding="utf-8")))
    return Faults()


def write_faults(folder: Path, faults: Faults) -> None:
    new = folder / "way.json.new"
    new.write_text(json.dumps(asdict(faults)), encoding="utf-8")
    new.rename(folder / "way.json")


class Handler(BaseHTTPRequestHandler):
    """Passes one request on."""

    protocol_version = "HTTP/1.1"
    folder: Path
    lock = threading.Lock()

    def do_GET(self) -> None:
        faults = self.faults_now()
        if faults.gone or faults.refusals:
            self.close_connection = True
            return
        time.sleep(faults.slow.get(self.repository(), 0))
        answer, body = self.ask_registry()
        self.send_response(answer.status)
        for key, value in answer.getheaders():
            self.send_header(key, value)
        self.end_headers()
        if faults.breaks_at == self.repository() and len(body) > SMALLEST_LAYER:
            write_faults(self.folder, Faults(gone=True))
            self.close_connection = True
            body = body[: len(body) // 2]
        with suppress(OSError):
            self.wfile.write(body)

    do_HEAD = do_GET

    def faults_now(self) -> Faults:
        """Return what is wrong with this request, and count it."""
        with self.lock:
            with (self.folder / "asked").open("a", encoding="utf-8") as asked:
                asked.write(f"{self.path}\n")
            faults = read_faults(self.folder)
            if "/manifests/" not in self.path:
                return Faults(faults.slow, faults.breaks_at, faults.gone)
            if faults.refusals:
                left = Faults(faults.slow, faults.breaks_at, faults.gone, faults.refusals - 1)
                write_faults(self.folder, left)
            return faults

    def repository(self) -> str:
        return self.path.removeprefix("/v2/").rpartition("/")[0].rpartition("/")[0]

    def ask_registry(self) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection(ADDRESS, REGISTRY_PORT, timeout=10)
        try:
            headers = {key: ", ".join(self.headers.get_all(key, [])) for key in self.headers}
            connection.request(self.command, self.path, headers=headers)
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - its name there
        pass


if __name__ == "__main__":
    Handler.folder = Path(sys.argv[1])
    ThreadingHTTPServer.daemon_threads = True
    ThreadingHTTPServer((ADDRESS, PORT), Handler).serve_forever()
