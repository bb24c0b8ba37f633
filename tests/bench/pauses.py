"""How long the collector of garbage keeps a worker, with and without what runtime/gc.py does.

Usage: python -m tests.bench.pauses [--users 100] [--windows 7] [--seconds 5] [--json]

One process makes requests with HttpUser, the client that leaves most garbage, at a server beside
it. Windows with and without take turns, so that whatever else the machine does, it does to both.
"""

from __future__ import annotations

from locust import HttpUser, constant, task
from locust.env import Environment

import argparse
import gc
import multiprocessing
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import gevent
from gevent.pool import Pool
from gevent.server import StreamServer

from locust_fleet import bootstrap
from locust_fleet.runtime.gc import settle
from tests.bench import table
from tests.support.ports import free_port

ADDRESS = "127.0.0.93"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
# What a worker has imported; not used here.
_ = bootstrap


class Shopper(HttpUser):
    """Asks as fast as it can."""

    wait_time = constant(0)

    @task
    def products(self) -> None:
        """Ask once."""
        self.client.get("/products")


@dataclass(frozen=True)
class Window:
    """What the collector did in some seconds."""

    longest_ms: float
    percent_of_cpu: float
    requests: int


class Collector:
    """Notes how long each collection takes."""

    def __init__(self) -> None:
        self.taken: list[float] = []
        self._began = 0.0
        gc.callbacks.append(self)

    def __call__(self, phase: str, _: dict[str, int]) -> None:
        if phase == "start":
            self._began = time.thread_time()
        else:
            self.taken.append(time.thread_time() - self._began)


def measure(users: int, windows: int, seconds: float) -> tuple[list[Window], list[Window]]:
    """Return the windows without and with ``settle``."""
    collector = Collector()
    without, settled = [], []
    with server() as host:
        Shopper.host = host
        environment = Environment(user_classes=[Shopper])
        runner = environment.create_local_runner()
        runner.start(users, users)
        gevent.sleep(3)
        for _ in range(windows):
            gc.unfreeze()
            without.append(window(environment, collector, seconds))
            settle()
            settled.append(window(environment, collector, seconds))
        runner.quit()
    return without, settled


def window(environment: Environment, collector: Collector, seconds: float) -> Window:
    collector.taken.clear()
    before, spent = environment.stats.total.num_requests, time.process_time()
    gevent.sleep(seconds)
    spent = time.process_time() - spent
    return Window(
        1000 * max(collector.taken, default=0),
        100 * sum(collector.taken) / spent,
        environment.stats.total.num_requests - before,
    )


@contextmanager
def server() -> Iterator[str]:
    """Yield the address of a server in a process of its own."""
    port = free_port(ADDRESS)
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(port,), daemon=True)
    process.start()
    yield f"http://{ADDRESS}:{port}"
    process.kill()
    process.join()


def serve(port: int) -> None:
    """Answer each request with next to nothing, until killed."""

    def handle(socket: Any, _: object) -> None:
        try:
            while socket.recv(65536):
                socket.sendall(ANSWER)
        except OSError:
            pass

    StreamServer((ADDRESS, port), handle, backlog=1024, spawn=Pool()).serve_forever()


def rows(kind: str, windows: list[Window]) -> tuple[table.Cell, ...]:
    return (
        kind,
        table.Spread.of(each.longest_ms for each in windows),
        table.Spread.of(each.percent_of_cpu for each in windows),
        statistics.median(each.requests for each in windows),
    )


def main(arguments: argparse.Namespace) -> None:
    """Measure and print."""
    without, settled = measure(arguments.users, arguments.windows, arguments.seconds)
    title = f"Pauses for the collector of garbage, {arguments.users} HttpUsers in one process"
    columns = ("", "longest pause, ms", "percent of CPU", "requests in a window")
    found = (rows("as Python does it", without), rows("with runtime/gc.py", settled))
    table.show(arguments, table.Table(title, columns, found))


if __name__ == "__main__":
    options = table.parser(__doc__)
    options.add_argument("--users", type=int, default=100)
    options.add_argument("--windows", type=int, default=7)
    options.add_argument("--seconds", type=float, default=5)
    main(options.parse_args())
