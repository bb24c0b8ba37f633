"""What a request costs with each kind of HTTP user: CPU time, as ratios within one run.

Usage: python -m tests.bench.http_users [--rounds 5] [--seconds 4] [--json]

In each round every kind runs for so many seconds, one after another, with 20 users, or 10 or 500
that upload, in one process on one core against an nginx on another (Debian: nginx-light), which the
benchmark starts itself.
The lean floor is a socket with a request in bytes and Locust's event, without any HTTP but the
length of the answer. Prints microseconds of CPU per request, the ratios within each round, both as
medians with the lowest and the highest, and the peak of memory.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench import table
from tests.bench.machine import Missing, program
from tests.support.ports import free_port
from tests.support.waiting import wait_until

ADDRESS = "127.0.0.63"
USERS = {"get": 20, "session": 20, "upload": 10, "secure upload": 10, "crowd": 500}
FILE_SIZE = 17_500_000
SECURE = {"session", "secure upload"}
SCENARIO = Path(__file__).with_name("http_scenario.py")
LOCUST = (
    *(sys.executable, "-m", "locust", "-f", str(SCENARIO)),
    *("--headless", "--only-summary", "--spawn-rate", "100"),
)
CERTIFICATE = (
    "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    " -subj /CN=bench -keyout key -out cert"
)
KINDS = {
    "get": ("HttpUser", "FastHttpUser", "FleetHttpUser", "lean"),
    "session": ("HttpUser", "FastHttpUser", "FleetHttpUser"),
    "upload": ("HttpUser", "FleetHttpUser"),
    "secure upload": ("HttpUser", "FleetHttpUser"),
    # HttpUser would need 500 copies of the file.
    "crowd": ("FleetHttpUser",),
}
TITLES = {
    "get": "CPU of an HTTP user: GET of 27 bytes of JSON",
    "session": "CPU of an HTTP user: TLS, session cookie, POST of JSON, gzip answer of 2 KB",
    "upload": "CPU of an HTTP user: files= of 17.5 MB",
    "secure upload": "CPU of an HTTP user: files= of 17.5 MB over TLS",
    "crowd": "CPU of an HTTP user: files= of 17.5 MB, 500 users at once",
}
NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
    access_log off; client_max_body_size 0; keepalive_requests 1000000000;
    default_type application/json;
    client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
    uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
    gzip on; gzip_types application/json; gzip_min_length 1000;
    ssl_certificate {folder}/cert; ssl_certificate_key {folder}/key;
    server {{
        listen {address}:{port}; listen {address}:{tls_port} ssl;
        location /json {{ return 200 '{{"status":"ok","answer":42}}'; }}
        location /login {{
            add_header Set-Cookie "session={session}; Path=/; HttpOnly"; return 200 '{{}}';
        }}
        location /upload {{ return 200 '{{}}'; }}
        location /order {{ return 200 '{order}'; }}
    }}
}}
"""


@dataclass(frozen=True)
class Cost:
    """What a request cost, and the most memory that its process had."""

    cpu_us: float
    peak_mb: float


def main(arguments: argparse.Namespace) -> None:
    """Measure in rounds, and print."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        raise Missing("this needs two cores, one for nginx; give the process more")
    tables = []
    with nginx(cores[1]) as urls, tempfile.NamedTemporaryFile(dir="/dev/shm") as file:
        file.write(os.urandom(FILE_SIZE))
        file.flush()
        os.environ["BENCH_FILE"] = file.name
        for test, kinds in KINDS.items():
            rounds = [
                {kind: run(test, kind, urls[test], arguments.seconds, cores[0]) for kind in kinds}
                for _ in range(arguments.rounds)
            ]
            tables.append(costs_of(TITLES[test], rounds))
    table.show(arguments, *tables)


def costs_of(title: str, rounds: list[dict[str, Cost]]) -> table.Table:
    """Return the costs of each kind, alone and beside the others."""
    others = [kind for kind in rounds[0] if kind != "FleetHttpUser"]
    columns = ("", "us per request", *(f"ratio to {other}" for other in others), "peak MB")
    rows: list[tuple[table.Cell, ...]] = []
    for kind in rounds[0]:
        ratios = (
            table.Spread.of(each[kind].cpu_us / each[other].cpu_us for each in rounds)
            for other in others
        )
        rows.append(
            (
                kind,
                table.Spread.of(each[kind].cpu_us for each in rounds),
                *ratios,
                max(each[kind].peak_mb for each in rounds),
            )
        )
    return table.Table(title, columns, tuple(rows))


def run(test: str, kind: str, url: str, seconds: int, core: int) -> Cost:
    """Return what a request costs a process of its own."""
    done = subprocess.run(
        [*LOCUST, "--users", str(USERS[test]), "--run-time", str(seconds), "--host", url],
        env={**os.environ, "BENCH_KIND": kind, "BENCH_TEST": test},
        preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        capture_output=True,
        text=True,
        check=False,
    )
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            said = json.loads(line)
            if said["requests"] and not said["failures"]:
                return Cost(1e6 * said["cpu_s"] / said["requests"], said["peak_mb"])
    sys.exit(f"{kind} did not run as it should:\n{done.stdout}{done.stderr}")


@contextmanager
def nginx(core: int) -> Iterator[dict[str, str]]:
    """Serve the answers; returns the URLs of the tests."""
    port, tls_port = free_port(ADDRESS), free_port(ADDRESS)
    order = json.dumps([{"id": n, "name": f"product {n}", "price": n * 1.25} for n in range(40)])
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            CERTIFICATE.split(),
            cwd=folder,
            check=True,
            capture_output=True,
        )
        config = Path(folder) / "nginx.conf"
        config.write_text(
            NGINX.format(
                folder=folder,
                address=ADDRESS,
                port=port,
                tls_port=tls_port,
                session="0123456789abcdef" * 4,
                order=order,
            )
        )
        process = subprocess.Popen(
            [program("nginx"), "-c", str(config), "-e", "stderr"],
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )
        try:
            wait_until(lambda: answers(port), "nginx")
            plain, secure = f"http://{ADDRESS}:{port}", f"https://{ADDRESS}:{tls_port}"
            yield {test: secure if test in SECURE else plain for test in KINDS}
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def answers(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex((ADDRESS, port)) == 0


if __name__ == "__main__":
    options = table.parser(__doc__)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=int, default=4)
    main(options.parse_args())
