"""`locust-fleet plan` says what a test needs, and measures with real requests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

ADDRESS = "127.0.0.94"
COMMAND = (sys.executable, "-c", "from locust_fleet.cli.entry import main; main()", "plan")


class Target(BaseHTTPRequestHandler):
    """Takes uploads at /up, and knows how large each was."""

    protocol_version = "HTTP/1.1"
    sizes: list[int]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.sizes.append(len(body))
        self.send_response(200 if self.path == "/up" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def target() -> Iterator[str]:
    Target.sizes = []
    with ThreadingHTTPServer((ADDRESS, 0), Target) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{ADDRESS}:{server.server_port}"
        server.shutdown()


def plan(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def cost_ms(done: subprocess.CompletedProcess[str]) -> float:
    found = re.search(r"A request costs ([0-9.]+) ms", done.stdout)
    assert found, done.stdout + done.stderr
    return float(found[1])


def test_five_hundred_uploads_are_planned() -> None:
    done = plan("--users", "500", "--file-size", "17.5MB", "--interval", "30s", "--link", "2Gbit")

    assert done.returncode == 0, done.stderr
    assert "workers     4, each 125 users of 150" in done.stdout
    assert "bandwidth   2.3 Gbit/s, each worker 583 Mbit/s" in done.stdout
    assert "warning: 2.3 Gbit/s is 117% of the link of 2 Gbit/s" in done.stderr


def test_a_large_file_is_measured_to_cost_more_than_a_small_one() -> None:
    small, large = (
        plan("--users", "20", "--file-size", size, "--measure", "--seconds", "2")
        for size in ("1kB", "20MB")
    )

    assert 0.05 < 2 * cost_ms(small) < cost_ms(large)


def test_a_target_that_is_allowed_is_measured_with_the_file(target: str) -> None:
    arguments = ("--users", "9", "--file-size", "200kB", "--measure", "--seconds", "1")

    done = plan(*arguments, "--host", f"{target}/up", ALLOWED_TARGETS=ADDRESS)

    assert cost_ms(done) > 0
    # And what makes it a form.
    assert all(200_000 < size < 200_500 for size in Target.sizes)


def test_a_target_that_fails_is_no_measure(target: str) -> None:
    arguments = ("--users", "9", "--file-size", "1kB", "--measure", "--seconds", "1")

    done = plan(*arguments, "--host", f"{target}/elsewhere", ALLOWED_TARGETS=ADDRESS)

    assert done.returncode == 1
    assert "the measurement failed: " in done.stderr
    assert "404" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--users", "many"), "--users is 'many'; use a whole number from 1"),
        (("--users", "5", "--file-size", "17"), "--file-size is '17'; use a number and one of"),
        (("--users", "5", "--interval", "0s"), "--interval is '0s'; use at least 1ms"),
        (("--users", "5", "--host", "http://x"), "--host is only used with --measure"),
        (
            ("--users", "5", "--measure", "--host", "http://elsewhere.example"),
            "http://elsewhere.example is not in ALLOWED_TARGETS",
        ),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_measured(
    arguments: tuple[str, ...], words: str
) -> None:
    done = plan(*arguments)

    assert done.returncode == 2
    assert words in done.stderr
