"""Answer /health and /ready of masters and workers on a port of its own.

Any answer to /health shows that the process runs and its event loop is not blocked.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from typing import Any

from gevent.pywsgi import WSGIServer

Readiness = Callable[[], tuple[bool, dict[str, Any]]]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]

logger = logging.getLogger(__name__)


def serve(port: int, readiness: Readiness) -> WSGIServer:
    """Serve in the background; ``readiness`` returns whether the process can work, and details.

    Raises OSError when the port is taken.
    """

    def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        if path == "/health":
            return _answer(start_response, "200 OK", {"status": "ok"})
        if path == "/ready":
            ready, detail = readiness()
            status = "200 OK" if ready else "503 Service Unavailable"
            return _answer(start_response, status, {"ready": ready, **detail})
        return _answer(start_response, "404 Not Found", {"error": "use /health or /ready"})

    server = WSGIServer(("0.0.0.0", port), application, log=None, error_log=logger)
    server.start()
    return server


def _answer(start_response: StartResponse, status: str, body: dict[str, Any]) -> Iterable[bytes]:
    start_response(status, [("Content-Type", "application/json")])
    return [json.dumps(body).encode() + b"\n"]
