"""Answer /health and /ready of the notifier, in the form of masters and workers.

The notifier runs threads, so it cannot use runtime/health.py, which runs on gevent.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from locust_fleet.notify.notifier import Notifier


def serve(port: int, notifier: Notifier) -> None:
    """Serve in the background; raises OSError when the port is taken."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/health":
                self._answer(notifier.alive, {"status": "ok" if notifier.alive else "hangs"})
            elif self.path == "/ready":
                ready = not notifier.postgres_away
                self._answer(ready, {"ready": ready})
            else:
                self.send_error(404)

        def _answer(self, good: bool, body: dict[str, Any]) -> None:
            raw = json.dumps(body).encode() + b"\n"
            self.send_response(200 if good else 503)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("0.0.0.0", port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
