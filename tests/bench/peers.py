"""What a request costs Locust's users and other load generators, side by side.

Usage: python -m tests.bench.peers [--rounds 5] [--seconds 4] [--json]

nginx answers with a small JSON on a core of its own; each generator asks on another one, over 20
connections, one after the other and in rounds. The requests are those that nginx has counted. A
generator that is not on PATH is named as missing.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench import table
from tests.bench.machine import Missing, cpu_s, on_core, program
from tests.support.ports import free_port
from tests.support.waiting import wait_until

ADDRESS = "127.0.0.96"
CONNECTIONS = 20
SETTLE_S = 1.0
# Beyond any measurement, so that each is still at work when it is killed.
LONG = "600s"
REFERENCE = "FastHttpUser"
# Kinds of users, and where they come from.
USERS = {"HttpUser": "locust", REFERENCE: "locust", "FleetHttpUser": "locust_fleet.users"}
NGINX = """
worker_processes 1;
daemon off;
error_log stderr crit;
pid {folder}/pid;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen {address}:{port};
    location = /requests {{ stub_status; }}
    location / {{
      default_type application/json;
      return 200 '{{"id": 17, "name": "a lamp", "price": 49.9, "stock": 3}}';
    }}
  }}
}}
"""
USER = """
from locust import constant, task
from {module} import {kind}

class Asking({kind}):
    wait_time = constant(0)

    @task
    def ask(self):
        self.client.get("/products/17", name="/products")
"""
K6 = """
import http from 'k6/http';
export const options = {{ vus: {connections}, duration: '{long}', discardResponseBodies: false }};
export default function () {{ http.get('{url}'); }}
"""


def generators(folder: Path, host: str) -> dict[str, list[str]]:
    """Return the commands of all that are here; say which ones are not."""
    url = f"{host}/products/17"
    script = folder / "ask.js"
    script.write_text(K6.format(connections=CONNECTIONS, long=LONG, url=url))
    count = str(CONNECTIONS)
    others = {
        "wrk": ["-t1", f"-c{count}", f"-d{LONG}", url],
        "hey": ["-cpus", "1", "-c", count, "-z", LONG, url],
        "k6": ["run", "--quiet", str(script)],
    }
    found = {kind: locust(folder, kind, host) for kind in USERS}
    for name, arguments in others.items():
        try:
            found[name] = [program(name), *arguments]
        except Missing as missing:
            print(f"peers: {missing}", file=sys.stderr)
    return found


def locust(folder: Path, kind: str, host: str) -> list[str]:
    """Return the command of a bare Locust with one kind of user."""
    file = folder / f"{kind}.py"
    file.write_text(USER.format(kind=kind, module=USERS[kind]))
    users = ["--users", str(CONNECTIONS), "--spawn-rate", str(CONNECTIONS), "--host", host]
    return [sys.executable, "-m", "locust", "--headless", "--locustfile", str(file), *users]


def cost_us(command: list[str], host: str, seconds: float) -> float:
    """Return the CPU microseconds of a request, once the generator is at work."""
    with on_core(-1):
        process = subprocess.Popen(
            command,
            env={**os.environ, "GOMAXPROCS": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    try:
        before = requests_of(host)

        def works() -> bool:
            ended = process.poll()
            assert ended is None, f"ended with {ended}: {shlex.join(command)}"
            return requests_of(host) > before + 1000

        wait_until(works, f"requests of {command[0]}")
        time.sleep(SETTLE_S)
        asked, spent = requests_of(host), cpu_s(process.pid)
        time.sleep(seconds)
        asked, spent = requests_of(host) - asked, cpu_s(process.pid) - spent
    finally:
        process.kill()
        process.wait()
    return 1e6 * spent / asked


def requests_of(host: str) -> int:
    with urllib.request.urlopen(f"{host}/requests", timeout=5) as answer:
        return int(answer.read().split()[9])


@contextmanager
def nginx(folder: Path) -> Iterator[str]:
    """Yield the address of an nginx that answers with a small JSON."""
    port = free_port(ADDRESS)
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, address=ADDRESS, port=port))
    command = [program("nginx"), "-p", str(folder), "-c", "nginx.conf"]
    with on_core(0):
        server = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    host = f"http://{ADDRESS}:{port}"

    def answers() -> bool:
        with contextlib.suppress(OSError):
            return requests_of(host) > 0
        return False

    try:
        wait_until(answers, "nginx answering", 10)
        yield host
    finally:
        server.terminate()
        server.wait()


def main(arguments: argparse.Namespace) -> None:
    """Measure in rounds, and print."""
    costs: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name, nginx(Path(name)) as host:
        commands = generators(Path(name), host)
        for _ in range(arguments.rounds):
            for each, command in commands.items():
                costs.setdefault(each, []).append(cost_us(command, host, arguments.seconds))
    rows = tuple(
        (
            each,
            table.Spread.of(found),
            table.Spread.of(
                one / other for one, other in zip(found, costs[REFERENCE], strict=True)
            ),
        )
        for each, found in costs.items()
    )
    columns = ("", "us per request", f"ratio to {REFERENCE}")
    title = f"CPU of a small GET over {CONNECTIONS} connections"
    table.show(arguments, table.Table(title, columns, rows))


if __name__ == "__main__":
    options = table.parser(__doc__)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=float, default=4)
    main(options.parse_args())
