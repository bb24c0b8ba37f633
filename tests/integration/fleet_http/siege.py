"""Let a user meet a hostile server, and tell how it did."""

from __future__ import annotations

from locust.exception import StopUser

from tests.integration.fleet_http.stage import Stage, attempt  # isort: skip

import gc
import resource
import time
from pathlib import Path
from typing import Any

import gevent
import psutil
from gevent.pool import Group

from fleet_http.hooks import HOOKS

# What the user class says, in s, and the most bytes that an answer may have.
TIMEOUT_S = 0.5
LARGEST = 16 * 2**20


def meet(stage: Stage, place: str, asks: list[dict[str, Any]]) -> dict[str, Any]:
    """Let one user ask for one thing after another; returns how each went, and what it cost."""
    # What earlier users left to the collector of garbage is not of this one.
    gc.collect()
    connections, memory, retries = open_connections(), peak_bytes(), HOOKS.counters.retries
    resident = resident_bytes()
    answers: list[dict[str, Any]] = []

    def ask_all(user: Any) -> None:
        answers.extend(asked(stage, user.client, **one) for one in asks)
        raise StopUser

    user = stage.user(
        stage.places[place],
        tasks=[ask_all],
        connection_timeout=TIMEOUT_S,
        network_timeout=TIMEOUT_S,
        largest_answer=LARGEST,
    )
    # As Locust does, so that what a user leaves behind is what it leaves in a test.
    user.start(Group()).join()
    return {
        "answers": answers,
        "reasons": stage.reasons(),
        "left_open": open_connections() - connections,
        "memory": peak_bytes() - memory,
        "kept": resident_bytes() - resident,
        "retries": HOOKS.counters.retries - retries,
        "in_flight": HOOKS.counters.in_flight,
    }


def asked(
    stage: Stage,
    client: Any,
    path: str,
    method: str = "GET",
    body: int = 0,
    headers: dict[str, str] | None = None,
    verify: str = "",
    proxy: str = "",
    stream: bool = False,
    read: bool = True,
    pause_s: float = 0.0,
    busy_s: float = 0.0,
) -> dict[str, Any]:
    """Ask once, after a pause, and after a while in which the process has no time for others."""
    gevent.sleep(pause_s)
    free = time.monotonic() + busy_s
    while time.monotonic() < free:
        pass
    stage.reported.clear()
    more: dict[str, Any] = {"headers": headers} if headers else {}
    if stream:
        more["stream"] = True
    if body:
        more["data"] = b"b" * body
    if verify:
        more["verify"] = verify
    if proxy:
        more["proxies"] = {"all": proxy}
    began, cpu_s = time.monotonic(), time.process_time()
    status, text, raised = None, None, None
    try:
        response = client.request(method, path, **more)
        status = response.status_code
        text = attempt(lambda: (response.text or "")[:200]) if read else None
        response = None
    except Exception as error:
        raised = repr(error)
    return {
        "status": status,
        "text": text,
        "raised": raised,
        "took_s": time.monotonic() - began,
        "cpu_s": time.process_time() - cpu_s,
        "open": open_connections(),
        "reported": list(stage.reported),
    }


def listen(stage: Stage, method: str, follow: bool) -> dict[str, Any]:
    """Return what a user understands on a unix socket, and whether it goes on."""
    client = stage.user(
        "http://speaker", unix_socket=stage.places["unix"], network_timeout=TIMEOUT_S
    ).client
    response = client.request(method, "/message", allow_redirects=follow)
    understood = {
        "status": response.status_code,
        "reason": response.reason.strip(" \t"),
        "headers": {name.lower(): value for name, value in response.headers.items()},
        "content": (response.content or b"").decode("latin-1"),
        "text": type(response.text).__name__,
        "reported": len(stage.reported),
        "failures": len(stage.reasons()),
        "afterwards": client.get("/fine").text,
    }
    client.close()
    return understood


def open_connections() -> int:
    """Return how many sockets are open, of any kind."""
    links = (attempt(file.readlink) for file in Path("/proc/self/fd").iterdir())
    return sum(str(link).startswith("socket:") for link in links)


def resident_bytes() -> int:
    return int(psutil.Process().memory_info().rss)


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
