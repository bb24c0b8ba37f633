"""How many records a second 4 workers can borrow and give back, over one Redis.

PYTHONPATH=src python -m tests.bench.leases [USERS_PER_WORKER [SECONDS]]
"""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from locust_fleet.settings.stores import RedisSettings
from tests.integration.conftest import ADDRESS, ROOT, free_port, users_of_redis, wait_until

WORKERS = 4
RECORDS = 10_000


def main(users: int = 50, seconds: int = 10) -> None:
    with tempfile.TemporaryDirectory() as folder:
        port = free_port(ADDRESS)
        source = Path(folder, "accounts.csv")
        source.write_text("user,password\n" + "user,secret\n" * RECORDS)
        file = Path(folder, "redis.conf")
        file.write_text(f'bind {ADDRESS}\nport {port}\nappendonly yes\nsave ""\n{users_of_redis()}')
        redis = subprocess.Popen(["redis-server", str(file)], cwd=folder, stdout=subprocess.DEVNULL)
        started: list[subprocess.Popen[str]] = []
        try:
            wait_until(lambda: answers(port), "Redis answering", 10)
            settings = RedisSettings(ADDRESS, port, "test")
            started += [worker(settings, f"w{number}", source) for number in range(WORKERS)]
            ask(started[:1], ["open", "bench"])
            ask(started, ["lease", 30])
            said = ask(started, ["spin", seconds, users])
            leases = sum(answer["leases"] for answer in said)
            ask(started, ["leave"])
            print(
                f"{WORKERS} workers x {users} users: {leases / seconds:,.0f} leases/s"
                f" ({', '.join(str(answer['leases']) for answer in said)} in {seconds} s)"
            )
        finally:
            for process in started:
                process.kill()
                process.wait()
            redis.terminate()
            redis.wait()


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


def answers(port: int) -> bool:
    """Whether Redis takes connections."""
    with contextlib.suppress(OSError):
        socket.create_connection((ADDRESS, port)).close()
        return True
    return False


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
