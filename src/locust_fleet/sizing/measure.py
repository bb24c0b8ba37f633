"""Measure the CPU time of a request on this machine, by a short run of real users."""

from __future__ import annotations

from locust import constant_pacing, task
from locust.env import Environment

import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO
from urllib.parse import urlsplit

import gevent

from locust_fleet.errors import FleetError
from locust_fleet.locust_patches.stats_buckets import count_in_steps
from locust_fleet.sizing.sink import ADDRESS
from locust_fleet.sizing.size import Load
from locust_fleet.users import FleetHttpUser

# As many as a worker has by default.
MOST_USERS = 150


def cpu_of_a_request(load: Load, url: str | None, seconds: float) -> float:
    """Return the CPU time of one request in seconds, among the users of a load.

    Without a URL, requests go to a sink on this machine. Raises FleetError when a request fails or
    none is answered within ``seconds``.
    """
    if url:
        return _measure(load, url, seconds)
    with _sink() as own:
        return _measure(load, own, seconds)


def _measure(load: Load, url: str, seconds: float) -> float:
    count_in_steps()
    with tempfile.TemporaryFile() as file:
        file.truncate(load.file_bytes)
        environment = Environment(user_classes=[_sender(load, url, file)])
        runner = environment.create_local_runner()
        users = min(load.users, MOST_USERS)
        runner.start(users, users)
        # Starting the users is not part of the measurement.
        gevent.sleep(1)
        total = environment.stats.total
        sent, spent = total.num_requests, time.process_time()
        gevent.sleep(seconds)
        sent, spent = total.num_requests - sent, time.process_time() - spent
        runner.quit()
    for failure in environment.stats.errors.values():
        raise FleetError(f"a request to {url} failed, so the measurement failed: {failure.error}")
    if not sent:
        raise FleetError(f"{url} answered no request within {seconds:g} s; use a larger --seconds")
    return spent / sent


def _sender(load: Load, url: str, file: IO[bytes]) -> type[FleetHttpUser]:
    """Return a class of users who upload a file again and again; for an empty one they send GET."""
    parts = urlsplit(url)

    class Uploader(FleetHttpUser):
        host = f"{parts.scheme}://{parts.netloc}"
        wait_time = constant_pacing(load.interval_s)

        def on_start(self) -> None:
            # Spread over the interval, so that requests are evenly distributed.
            gevent.sleep(random.uniform(0, load.interval_s))

        @task
        def send(self) -> None:
            path = parts.path or "/"
            # A redirect could lead to a target that is not allowed.
            if load.file_bytes:
                self.client.post(path, files={"file": file}, allow_redirects=False)
            else:
                self.client.get(path, allow_redirects=False)

    return Uploader


@contextmanager
def _sink() -> Iterator[str]:
    command = (sys.executable, "-m", "locust_fleet.sizing.sink")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        yield f"http://{ADDRESS}:{int(process.stdout.readline())}/"
        process.stdin.close()
