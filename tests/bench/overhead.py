"""What a worker of the fleet costs beside one of bare Locust: CPU time per request, as a ratio.

Usage: python -m tests.bench.overhead [PAIRS [SECONDS]]

Both workers ask the same demo target with FastHttpUser, in turn, so many times for so many
seconds each, under a stock master each. Prometheus and Docker ask the one of the fleet meanwhile,
more often than they would. Prints microseconds per request, and the median of the pairs' ratios.
"""

from __future__ import annotations

import json
import os
import statistics
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

from tests.integration.conftest import ROOT, free_port, wait_until

ADDRESS = "127.0.0.62"
USERS = 20
SETTLE_S = 0.5
FLEET = (sys.executable, "-c", "from locust_fleet.cli import main; main()")
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
    """A worker, and where its master is."""

    pid: int
    master: str
    asked: tuple[str, ...] = ()


def main(pairs: int, seconds: float) -> None:
    ratios, costs = [], dict[str, list[float]](bare=[], fleet=[])
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        target = stack.enter_context(demo_target())
        locustfile = Path(folder) / "shopper.py"
        locustfile.write_text(SHOPPER)
        bare = stack.enter_context(side((*LOCUST, "--worker"), locustfile, target))
        fleet = stack.enter_context(side((*FLEET, "worker"), locustfile, target))
        for number in range(pairs):
            # Who begins changes, as the machine may get warmer or slower.
            turns = {"bare": bare, "fleet": fleet}
            for name in sorted(turns, reverse=number % 2 == 1):
                costs[name].append(cost_us(turns[name], target, seconds))
            ratios.append(costs["fleet"][-1] / costs["bare"][-1])
            print(
                f"bare {costs['bare'][-1]:.1f} us, fleet {costs['fleet'][-1]:.1f} us,"
                f" ratio {ratios[-1]:.3f}",
                flush=True,
            )
    print(
        f"median: bare {statistics.median(costs['bare']):.1f} us,"
        f" fleet {statistics.median(costs['fleet']):.1f} us, ratio {statistics.median(ratios):.3f}"
    )


def cost_us(of: Side, target: str, seconds: float) -> float:
    """Return the CPU time of a worker per request of it, in microseconds."""
    start = {"user_count": USERS, "spawn_rate": USERS, "host": target}
    ask(f"{of.master}/swarm", start)
    time.sleep(SETTLE_S)
    served, spent = requests_of(target), cpu_s(of.pid)
    for url in of.asked:
        urllib.request.urlopen(url, timeout=5).read()
    time.sleep(seconds)
    served, spent = requests_of(target) - served, cpu_s(of.pid) - spent
    ask(f"{of.master}/stop")
    time.sleep(SETTLE_S)
    return 1e6 * spent / served


def cpu_s(pid: int) -> float:
    """Return what all threads of a process ran, in seconds; exact, unlike the ticks of stat."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def requests_of(target: str) -> int:
    with urllib.request.urlopen(f"{target}/stats", timeout=5) as answer:
        return int(json.load(answer)["total"])


def ask(url: str, form: dict[str, object] | None = None) -> None:
    data = urllib.parse.urlencode(form or {}).encode()
    urllib.request.urlopen(url, data, timeout=60).read()


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
def side(worker: tuple[str, ...], locustfile: Path, target: str) -> Iterator[Side]:
    """Yield a worker under a stock master."""
    web, bind = str(free_port(ADDRESS)), str(free_port(ADDRESS))
    health, metrics = free_port("0.0.0.0"), free_port("0.0.0.0")
    file = ("--locustfile", str(locustfile))
    at = ("--master-bind-host", ADDRESS, "--master-bind-port", bind)
    to = ("--master-host", ADDRESS, "--master-port", bind)
    env = {
        "HEALTH_PORT": str(health),
        "METRICS_PORT": str(metrics),
        "ALLOWED_TARGETS": ADDRESS,
        "MASTER_TIMEOUT": "600",
    }
    master = (*LOCUST, "--master", *file, *at, "--web-host", ADDRESS, "--web-port", web)
    with process(master), process((*worker, *file, *to), **env) as pid:
        url = f"http://{ADDRESS}:{web}"
        wait_until(lambda: workers_of(url) == 1, "the worker ready")
        asked = (f"http://{ADDRESS}:{metrics}/metrics", f"http://{ADDRESS}:{health}/health")
        yield Side(pid, url, asked if worker[: len(FLEET)] == FLEET else ())


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


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10, float(sys.argv[2]) if sys.argv[2:] else 5.0)
