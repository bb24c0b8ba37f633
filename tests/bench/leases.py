"""How many records a second 4 workers can borrow and give back, over one Redis.

Usage: python -m tests.bench.leases [--users 50] [--seconds 10] [--json]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from locust_fleet.settings.stores import RedisSettings
from tests.bench import table
from tests.bench.stores import redis_server
from tests.support.checkout import ROOT
from tests.support.engine import ADDRESS

WORKERS = 4
RECORDS = 10_000


def main(arguments: argparse.Namespace) -> None:
    """Measure and print."""
    users, seconds = arguments.users, arguments.seconds
    with tempfile.TemporaryDirectory() as folder, redis_server(ADDRESS) as settings:
        source = Path(folder, "accounts.csv")
        source.write_text("user,password\n" + "user,secret\n" * RECORDS)
        started: list[subprocess.Popen[str]] = []
        try:
            started += [worker(settings, f"w{number}", source) for number in range(WORKERS)]
            ask(started[:1], ["open", "bench"])
            ask(started, ["lease", 30])
            said = [answer["leases"] / seconds for answer in ask(started, ["spin", seconds, users])]
            ask(started, ["leave"])
        finally:
            for process in started:
                process.kill()
                process.wait()
    row = (f"{WORKERS} workers with {users} users", sum(said), table.Spread.of(said))
    columns = ("", "leases per second", "of one worker")
    table.show(arguments, table.Table("Records borrowed over one Redis", columns, (row,)))


def worker(settings: RedisSettings, name: str, source: Path) -> subprocess.Popen[str]:
    command = ("-m", "tests.integration.data.user", str(settings.port), "bench", name, "10")
    return subprocess.Popen(
        [sys.executable, *command, str(source)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def ask(processes: list[subprocess.Popen[str]], command: list[object]) -> list[dict[str, int]]:
    """Ask all at once; returns what they say."""
    for process in processes:
        assert process.stdin
        process.stdin.write(json.dumps(command) + "\n")
        process.stdin.flush()
    return [_hear(process) for process in processes]


def _hear(process: subprocess.Popen[str]) -> dict[str, int]:
    assert process.stdout
    answer = json.loads(process.stdout.readline())
    return _hear(process) if answer == "ready" else dict(answer or {})


if __name__ == "__main__":
    options = table.parser(__doc__)
    options.add_argument("--users", type=int, default=50, help="per worker")
    options.add_argument("--seconds", type=int, default=10)
    main(options.parse_args())
