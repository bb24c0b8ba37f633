"""Serve /metrics on a port of its own, in the text format of Prometheus.

The text is not made by prometheus_client, which needs 20 us per line: with a thousand names a
scrape would block the event loop of the master for half a second.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from gevent.pywsgi import WSGIServer
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Render = Callable[[], Iterable[bytes]]
Sample = tuple[Mapping[str, str], float]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]

logger = logging.getLogger(__name__)


def serve(port: int, render: Render) -> WSGIServer:
    """Serve in the background; ``render`` returns the text of each scrape.

    Raises OSError when the port is taken.
    """

    def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/metrics":
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"use /metrics\n"]
        start_response("200 OK", [("Content-Type", CONTENT_TYPE)])
        return render()

    server = WSGIServer(("0.0.0.0", port), application, log=None, error_log=logger)
    server.start()
    return server


def process_metrics() -> Callable[[], bytes]:
    """Return a function that returns the text of prometheus_client's process_* metrics."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return lambda: generate_latest(registry)


def family(name: str, kind: str, about: str, samples: Iterable[Sample]) -> str:
    """Return the text of one metric; ``kind`` is counter or gauge."""
    return "".join([head(name, kind, about), *_lines(name, samples)])


def head(name: str, kind: str, about: str) -> str:
    """Return the HELP and TYPE lines of a metric."""
    return f"# HELP {name} {about}\n# TYPE {name} {kind}\n"


def labels(pairs: Mapping[str, str]) -> str:
    """Return labels in the form between the braces: name="value",…"""
    return ",".join(f'{key}="{_escaped(value)}"' for key, value in pairs.items())


def _lines(name: str, samples: Iterable[Sample]) -> Iterator[str]:
    for pairs, value in samples:
        braces = f"{{{labels(pairs)}}}" if pairs else ""
        yield f"{name}{braces} {float(value)!r}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
