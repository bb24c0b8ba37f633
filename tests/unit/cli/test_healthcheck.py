"""A health check knows well from unwell, and costs next to nothing."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

ADDRESS = "127.0.0.37"
SRC = Path(__file__).parents[3] / "src"
MAIN = "from locust_fleet.cli.entry import main; main()"


class Page(BaseHTTPRequestHandler):
    """Answers with the status that is the path."""

    def do_GET(self) -> None:
        if self.path == "/silent":
            return
        self.send_response(int(self.path[1:]))
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    with HTTPServer((ADDRESS, 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://{ADDRESS}:{server.server_port}"
        server.shutdown()


def healthcheck(url: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", MAIN, "healthcheck", url],
        env={"PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_a_page_that_answers_200_is_well(server: str) -> None:
    done = healthcheck(f"{server}/200")

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("path", "words"), [("503", "answered 503"), ("silent", "answered nothing")]
)
def test_another_status_is_unwell_and_printed(server: str, path: str, words: str) -> None:
    done = healthcheck(f"{server}/{path}")

    assert (done.returncode, done.stderr) == (1, f"locust-fleet: {server}/{path}: {words}\n")


def test_a_port_without_a_listener_is_unwell(server: str) -> None:
    done = healthcheck(f"http://{ADDRESS}:1/health")

    assert done.returncode == 1
    assert "Connection refused" in done.stderr


@pytest.mark.parametrize("url", ["https://127.0.0.1/health", "http://127.0.0.1:web/health"])
def test_what_it_cannot_ask_is_refused_with_the_remedy(url: str) -> None:
    done = healthcheck(url)

    assert done.returncode == 1
    assert done.stderr == f"locust-fleet: {url}: use http://HOST[:PORT]/PATH\n"


def test_it_imports_next_to_nothing() -> None:
    code = "import sys; before = set(sys.modules); "
    code += "import locust_fleet.cli.entry, locust_fleet.cli.healthcheck; "
    code += "print(*sorted(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert not {"argparse", "urllib.request", "json", "http.client"} & set(done.stdout.split())


def test_other_commands_are_those_of_the_command_line(server: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MAIN, "healthcheck", "--help"],
        env={"PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0
    assert "usage: locust-fleet healthcheck" in done.stdout
