"""Measure on this machine what a request costs a worker, by a short run of real users."""

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

# At most: as many as one worker may have.
USERS = 150


def cpu_of_a_request(load: Load, url: str | None, seconds: float) -> float:
    """Return the CPU seconds of one request, with waiting for it, among some users of a load.

    Aims at a sink of its own on this machine unless there is a URL. FleetError says why there is
    no answer to that.
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
        users = min(load.users, USERS)
        runner.start(users, users)
        # Users start only once.
        gevent.sleep(1)
        total = environment.stats.total
        sent, spent = total.num_requests, time.process_time()
        gevent.sleep(seconds)
        sent, spent = total.num_requests - sent, time.process_time() - spent
        runner.quit()
    for failure in environment.stats.errors.values():
        raise FleetError(f"{url} cannot be measured with: {failure.error}")
    if not sent:
        raise FleetError(f"{url} answered nothing within {seconds:g} s; measure for longer")
    return spent / sent


def _sender(load: Load, url: str, file: IO[bytes]) -> type[FleetHttpUser]:
    """Return users who send a file as a form again and again; an empty one means they ask."""
    parts = urlsplit(url)

    class Sender(FleetHttpUser):
        host = f"{parts.scheme}://{parts.netloc}"
        wait_time = constant_pacing(load.interval_s)

        def on_start(self) -> None:
            # At any time of the interval, so that there are as many at each.
            gevent.sleep(random.uniform(0, load.interval_s))

        @task
        def send(self) -> None:
            path = parts.path or "/"
            # A redirect could lead elsewhere.
            if load.file_bytes:
                self.client.post(path, files={"file": file}, allow_redirects=False)
            else:
                self.client.get(path, allow_redirects=False)

    return Sender


@contextmanager
def _sink() -> Iterator[str]:
    command = (sys.executable, "-m", "locust_fleet.sizing.sink")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        yield f"http://{ADDRESS}:{int(process.stdout.readline())}/"
        process.stdin.close()
