"""How a team tests its own system in its own pipeline: a master and two workers, from pytest.

It needs nothing but Locust and pytest. Copy it, put your locustfile and your limits in, and say
where your system is with TARGET_HOST; without that, the demo shop is started and tested.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
LOCUSTFILE = ROOT / "locustfiles" / "demo_shop.py"
ADDRESS = "127.0.0.1"
USERS, RUN_TIME_S, WORKERS = 20, 8, 2
# Starting three Python processes takes long where others want the CPU as well.
START_TIMEOUT_S = 90

# The limits. What they are for your system is the first thing to find out.
MOST_FAILURES = 0.01
SLOWEST_MEDIAN_MS = 500


@dataclass(frozen=True)
class Result:
    """What a finished test has measured."""

    entries: list[dict[str, Any]]
    exit_code: int
    workers_reported: int

    @property
    def requests(self) -> int:
        return sum(entry["num_requests"] for entry in self.entries)

    @property
    def failures(self) -> int:
        return sum(entry["num_failures"] for entry in self.entries)

    def median_ms(self, name: str) -> float:
        """Return the response time that half of the requests of a name stayed below."""
        [entry] = [entry for entry in self.entries if entry["name"] == name]
        left = entry["num_requests"] / 2
        for response_time, count in sorted(
            (float(response_time), count)
            for response_time, count in entry["response_times"].items()
        ):
            left -= count
            if left <= 0:
                return response_time
        return 0.0


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    """Where the system under test is."""
    with ExitStack() as stack:
        yield os.environ.get("TARGET_HOST") or stack.enter_context(demo_shop())


@pytest.fixture(scope="module")
def result(host: str, tmp_path_factory: pytest.TempPathFactory) -> Result:
    """One test with all its users, for all that is asked about it below."""
    return run_distributed(LOCUSTFILE, host, tmp_path_factory.mktemp("locust"))


def test_nearly_every_request_is_answered_well(result: Result) -> None:
    assert result.requests > USERS
    assert result.failures <= MOST_FAILURES * result.requests


def test_the_products_come_quickly(result: Result) -> None:
    assert result.median_ms("/products") <= SLOWEST_MEDIAN_MS


def test_every_worker_took_part(result: Result) -> None:
    assert result.workers_reported == WORKERS


def test_locust_itself_calls_it_a_success(result: Result) -> None:
    assert result.exit_code == 0


def run_distributed(locustfile: Path, host: str, folder: Path) -> Result:
    """Run a headless master with its workers; returns when the test is over."""
    port = free_port()
    common = ("--locustfile", str(locustfile), "--host", host)
    with ExitStack() as stack:
        master = stack.enter_context(
            running(
                *(sys.executable, "-m", "locust", *common, "--master", "--headless"),
                *("--master-bind-host", ADDRESS, "--master-bind-port", str(port)),
                # The test begins when all workers are there, and not before.
                *("--expect-workers", str(WORKERS)),
                *("--users", str(USERS), "--spawn-rate", str(USERS)),
                *("--run-time", f"{RUN_TIME_S}s", "--stop-timeout", "10"),
                *("--json-file", str(folder / "result")),
                log=folder / "master.log",
            )
        )
        for number in range(WORKERS):
            stack.enter_context(
                running(
                    *(sys.executable, "-m", "locust", *common, "--worker"),
                    *("--master-host", ADDRESS, "--master-port", str(port)),
                    log=folder / f"worker-{number}.log",
                )
            )
        try:
            exit_code = master.wait(timeout=START_TIMEOUT_S + RUN_TIME_S)
        except subprocess.TimeoutExpired:
            pytest.fail(f"the test did not end in time\n{(folder / 'master.log').read_text()}")
    log = (folder / "master.log").read_text()
    return Result(
        entries=json.loads((folder / "result.json").read_text()),
        exit_code=exit_code,
        workers_reported=log.count("reported as ready"),
    )


@contextmanager
def running(*command: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program as long as the block, whatever happens in it."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


@contextmanager
def demo_shop() -> Iterator[str]:
    """Run the shop that comes with Locust Fleet; yields where it is."""
    config, at = ROOT / "conf" / "gunicorn_demo.py", f"{ADDRESS}:{free_port()}"
    shop = ("gunicorn", "--config", str(config), "--bind", at, "locust_fleet.demo:create_app()")
    with running(sys.executable, "-m", *shop, log=Path(os.devnull)):
        wait_until_healthy(f"http://{at}/health")
        yield f"http://{at}"


def wait_until_healthy(url: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        with suppress(OSError), urllib.request.urlopen(url, timeout=2):
            return
        time.sleep(0.1)
    pytest.fail(f"{url} did not answer within {START_TIMEOUT_S} s")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        return int(probe.getsockname()[1])
