"""What a worker of the fleet costs beside one of bare Locust: CPU time per request, as a ratio.

Usage: python -m tests.bench.overhead [--windows 30] [--seconds 3] [--json]

Both workers make requests with FastHttpUser at the same time, each at a demo target of its own
and under a stock master of its own, and are looked at so many times for so many seconds: whatever
else the machine does, it does to both. Prometheus and Docker ask the one of the fleet meanwhile,
more often than they would.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench import table
from tests.bench.machine import cpu_s
from tests.support.checkout import ROOT
from tests.support.ports import free_port
from tests.support.waiting import wait_until

ADDRESS = "127.0.0.62"
USERS = 20
SETTLE_S = 5.0
FLEET = (sys.executable, "-c", "from locust_fleet.cli.entry import main; main()")
LOCUST = (sys.executable, "-m", "locust")
SHOPPER = """
from locust import FastHttpUser, task

class Shopper(FastHttpUser):
    @task
    def products(self):
        self.client.get("/products")
"""


@dataclass(frozen=True)
class Side:
    """A worker, its master and its target, and what is asked of it besides."""

    pid: int
    master: str
    target: str
    asked: tuple[str, ...] = ()


def measure(windows: int, seconds: float) -> list[tuple[float, float]]:
    """Return microseconds per request of the bare worker and of ours, so many times."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        locustfile = Path(folder) / "shopper.py"
        locustfile.write_text(SHOPPER)
        bare = stack.enter_context(side((*LOCUST, "--worker"), locustfile))
        fleet = stack.enter_context(side((*FLEET, "worker"), locustfile))
        for one in (bare, fleet):
            start = {"user_count": USERS, "spawn_rate": USERS, "host": one.target}
            ask(f"{one.master}/swarm", start)
        time.sleep(SETTLE_S)
        return [costs_us((bare, fleet), seconds) for _ in range(windows)]


def costs_us(sides: tuple[Side, Side], seconds: float) -> tuple[float, float]:
    """Return the CPU time of each worker per request of it, in microseconds."""
    before = [(requests_of(one.target), cpu_s(one.pid)) for one in sides]
    for url in [url for one in sides for url in one.asked]:
        urllib.request.urlopen(url, timeout=5).read()
    time.sleep(seconds)
    after = [(requests_of(one.target), cpu_s(one.pid)) for one in sides]
    of_bare, of_fleet = (
        1e6 * (spent - spent_before) / (served - served_before)
        for (served_before, spent_before), (served, spent) in zip(before, after, strict=True)
    )
    return of_bare, of_fleet


def requests_of(target: str) -> int:
    with urllib.request.urlopen(f"{target}/stats", timeout=5) as answer:
        return int(json.load(answer)["total"])


def ask(url: str, form: dict[str, object]) -> None:
    urllib.request.urlopen(url, urllib.parse.urlencode(form).encode(), timeout=60).read()


@contextmanager
def demo_target() -> Iterator[str]:
    """Yield the address of a demo target."""
    bind = f"{ADDRESS}:{free_port(ADDRESS)}"
    config = str(ROOT / "conf" / "gunicorn_demo.py")
    gunicorn = (sys.executable, "-m", "gunicorn", "--config", config, "--bind", bind)
    with process((*gunicorn, "locust_fleet.demo:create_app()")):
        wait_until(lambda: answers(f"http://{bind}/health"), "the demo target answering")
        yield f"http://{bind}"


@contextmanager
def side(worker: tuple[str, ...], locustfile: Path) -> Iterator[Side]:
    """Yield a worker under a stock master, with its target."""
    web, bind = str(free_port(ADDRESS)), str(free_port(ADDRESS))
    health, metrics = free_port("0.0.0.0"), free_port("0.0.0.0")
    file = ("--locustfile", str(locustfile))
    at = ("--master-bind-host", ADDRESS, "--master-bind-port", bind)
    to = ("--master-host", ADDRESS, "--master-port", bind)
    env = {
        "HEALTH_PORT": str(health),
        "METRICS_PORT": str(metrics),
        "ALLOWED_TARGETS": ADDRESS,
        "GHOST_LIMIT": "600",
    }
    master = (*LOCUST, "--master", *file, *at, "--web-host", ADDRESS, "--web-port", web)
    with demo_target() as target, process(master), process((*worker, *file, *to), **env) as pid:
        url = f"http://{ADDRESS}:{web}"
        wait_until(lambda: workers_of(url) == 1, "the worker ready")
        asked = (f"http://{ADDRESS}:{metrics}/metrics", f"http://{ADDRESS}:{health}/health")
        yield Side(pid, url, target, asked if worker[: len(FLEET)] == FLEET else ())


@contextmanager
def process(command: tuple[str, ...], **env: str) -> Iterator[int]:
    """Yield the id of a process that runs meanwhile; its words go nowhere."""
    running = subprocess.Popen(
        command,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src"), **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield running.pid
    finally:
        running.kill()
        running.wait()


def workers_of(master: str) -> int:
    try:
        with urllib.request.urlopen(f"{master}/worker-count", timeout=2) as answer:
            return int(json.load(answer)["worker_count"])
    except (OSError, ValueError, KeyError):
        return 0


def answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=2).read()
    except OSError:
        return False
    return True


def main(arguments: argparse.Namespace) -> None:
    """Measure and print."""
    costs = measure(arguments.windows, arguments.seconds)
    bare, fleet = (table.Spread.of(column) for column in zip(*costs, strict=True))
    ratio = table.Spread.of(of_fleet / of_bare for of_bare, of_fleet in costs)
    row = (f"FastHttpUser, {USERS} users", bare, fleet, ratio)
    columns = ("", "bare Locust, us per request", "ours, us per request", "ratio")
    table.show(arguments, table.Table("CPU of a worker beside bare Locust", columns, (row,)))


if __name__ == "__main__":
    options = table.parser(__doc__)
    options.add_argument("--windows", type=int, default=30)
    options.add_argument("--seconds", type=float, default=3)
    main(options.parse_args())
