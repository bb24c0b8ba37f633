"""The demo target under its own gunicorn settings, with real load on it."""

from __future__ import annotations

import http.client
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.support.checkout import ROOT
from tests.support.shop import Shop

HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    shop = Shop(HOST, tmp_path_factory.mktemp("shop") / "log")
    shop.renew()
    yield int(shop.url.rpartition(":")[2])
    shop.close()


@pytest.fixture
def shop(port: int) -> Iterator[http.client.HTTPConnection]:
    urlopen(Request(f"http://{HOST}:{port}/stats/reset", method="POST"), timeout=5).close()
    connection = http.client.HTTPConnection(HOST, port, timeout=10)
    yield connection
    connection.close()


# Uploads come and end within the seconds of a test.
OFTEN = {
    "SCENARIO_UPLOAD_MB": "2.5",
    "SCENARIO_UPLOAD_EVERY_S": "1.5",
    "SCENARIO_HEARTBEAT_EVERY_S": "1",
}


def ask(
    shop: http.client.HTTPConnection, method: str, path: str, **options: Any
) -> tuple[int, dict[str, Any]]:
    shop.request(method, path, **options)
    answer = shop.getresponse()
    return answer.status, json.loads(answer.read())


@pytest.mark.parametrize(
    "scenario", ["demo_shop", "production_test", "distributed_demo", "shared_data", "upload_test"]
)
def test_what_locust_made_is_what_the_target_served(
    scenario: str, port: int, shop: http.client.HTTPConnection, tmp_path: Path
) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "locust", "-f", ROOT / f"locustfiles/{scenario}.py"),
            *("--host", f"http://{HOST}:{port}", "--headless", "-u", "40", "-r", "40", "-t", "4s"),
            *("--stop-timeout", "10", "--only-summary", "--json-file", tmp_path / "made"),
        ],
        env={**os.environ, **OFTEN},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    made = {
        f"{entry['method']} {entry['name']}": entry["num_requests"]
        for entry in json.loads((tmp_path / "made.json").read_text())
    }
    assert sum(made.values()) > 40
    assert ask(shop, "GET", "/stats")[1]["endpoints"] == made


def test_many_slow_requests_wait_side_by_side(port: int, shop: http.client.HTTPConnection) -> None:
    started = time.monotonic()
    sockets = [socket.create_connection((HOST, port), timeout=10) for _ in range(200)]
    for one in sockets:
        one.sendall(b"GET /slow?ms=1000 HTTP/1.1\r\nHost: shop\r\n\r\n")
    for one in sockets:
        assert one.recv(15) == b"HTTP/1.1 200 OK"
        one.close()
    # One after the other they would take 200 s.
    assert time.monotonic() - started < 10
    assert ask(shop, "GET", "/stats")[1]["endpoints"] == {"GET /slow": 200}


def test_an_upload_in_chunks_is_read_to_its_end_and_the_connection_goes_on(
    shop: http.client.HTTPConnection,
) -> None:
    chunks = (bytes(65_536) for _ in range(300))
    assert ask(shop, "POST", "/upload", body=chunks, encode_chunked=True) == (
        200,
        {"bytes": 300 * 65_536},
    )
    assert ask(shop, "POST", "/heartbeat") == (200, {"status": "ok"})


def test_a_connection_stays_open_while_a_user_thinks(shop: http.client.HTTPConnection) -> None:
    ask(shop, "POST", "/heartbeat")
    # Users think for 1-3 s, gunicorn's own default closes after 2 s. Readable would mean closed.
    assert select.select([shop.sock], [], [], 3.5) == ([], [], [])
