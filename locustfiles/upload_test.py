"""Uploads of large files: by default 500 users make 17 of 17.5 MB a second, and 3 heartbeats.

Each user sends a file at its own rhythm and a heartbeat at another; an upload that takes longer
than its interval puts off the next one, so that none begins beside another.

    locust -f upload_test.py --host http://demo-target:8000 --users 500 --spawn-rate 10

Settings (`SCENARIO_*` in .env reaches every Locust process):

SCENARIO_UPLOAD_MB         size of the file; default 17.5 (of a million bytes)
SCENARIO_UPLOAD_FILE       a file to send instead, beside this one or with its whole path
SCENARIO_UPLOAD_EVERY_S    seconds from one upload of a user to its next; default 30
SCENARIO_HEARTBEAT_EVERY_S seconds from one heartbeat of a user to its next; default 150
"""

from __future__ import annotations

from locust import task

import atexit
import math
import os
import random
import tempfile
import time
from functools import cache
from itertools import repeat
from pathlib import Path
from typing import Any

from locust_fleet.users import FleetHttpUser


def setting(name: str, default: float) -> float:
    """Return a number above 0 from the environment."""
    text = os.environ.get(name) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise ValueError(f"{name} is '{text}'; use a number above 0")
    return value


def given_file() -> Path | None:
    """Return the file that is to be sent, if one is named."""
    name = os.environ.get("SCENARIO_UPLOAD_FILE")
    if not name:
        return None
    path = Path(__file__).parent / name
    if not path.is_file():
        raise ValueError(f"SCENARIO_UPLOAD_FILE is '{name}'; put that file beside {__file__}")
    return path


UPLOAD_BYTES = round(setting("SCENARIO_UPLOAD_MB", 17.5) * 1e6)
UPLOAD_EVERY_S = setting("SCENARIO_UPLOAD_EVERY_S", 30)
HEARTBEAT_EVERY_S = setting("SCENARIO_HEARTBEAT_EVERY_S", 150)
GIVEN_FILE = given_file()


@cache
def made_up_file() -> Path:
    """Return a file for all users of this process; it goes when the process ends."""
    descriptor, name = tempfile.mkstemp()
    os.close(descriptor)
    path = Path(name)
    atexit.register(path.unlink)
    with path.open("wb") as made:
        # Random, so that nothing on the way can make it smaller.
        made.writelines(repeat(os.urandom(1 << 20), 1 + (UPLOAD_BYTES >> 20)))
        made.truncate(UPLOAD_BYTES)
    return path


def bytes_seen(answer: Any) -> int:
    """Return how many bytes the target says to have seen, as {"bytes": N}; -1: it does not."""
    try:
        return int(answer.json()["bytes"])
    except (ValueError, KeyError, TypeError):
        return -1


class Uploader(FleetHttpUser):
    """Sends what is due next, and sleeps until then."""

    def on_start(self) -> None:
        """Begin anywhere in both intervals, or all would send at the same time."""
        now = time.monotonic()
        self.upload_at = now + random.uniform(0, UPLOAD_EVERY_S)
        self.heartbeat_at = now + random.uniform(0, HEARTBEAT_EVERY_S)
        time.sleep(self.wait_time())

    def wait_time(self) -> float:
        """Return the seconds until something is due."""
        return max(0.0, min(self.upload_at, self.heartbeat_at) - time.monotonic())

    @task
    def send_what_is_due(self) -> None:
        """Upload, or send a heartbeat."""
        if self.upload_at <= self.heartbeat_at:
            try:
                self.upload()
            finally:
                # Whatever went wrong, or it would be due again at once.
                self.upload_at = max(self.upload_at + UPLOAD_EVERY_S, time.monotonic())
        else:
            self.client.post("/heartbeat")
            self.heartbeat_at = max(self.heartbeat_at + HEARTBEAT_EVERY_S, time.monotonic())

    def upload(self) -> None:
        """Send the file as a form, and believe the target only if it has seen all of it."""
        path = GIVEN_FILE or made_up_file()
        with (
            path.open("rb") as file,
            self.client.post("/upload", files={"file": file}, catch_response=True) as answer,
        ):
            if answer.ok and bytes_seen(answer) < os.fstat(file.fileno()).st_size:
                answer.failure("the target does not say that it has seen all of the file")
