"""The console as it runs: gunicorn with conf/gunicorn.py, several processes, gevent."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlencode

import pytest

from locust_fleet.console.access import accounts
from locust_fleet.console.access.roles import Role
from locust_fleet.console.access.sessions import COOKIE
from locust_fleet.runtime.postgres import Connection
from locust_fleet.settings.console import ConsoleSettings
from locust_fleet.settings.stores import PostgresSettings
from tests.integration.console.conftest import FRONT_SECRET, HOST, PASSWORD
from tests.support.cable import Cable
from tests.support.checkout import ROOT
from tests.support.ports import free_port
from tests.support.postgres import postgres_environment
from tests.support.process import end, start
from tests.support.redis import redis_environment
from tests.support.waiting import wait_until

ADDRESS = "127.0.0.1"
# The console promises two seconds; the rest is for a busy machine.
SOON_S = 4.0


@dataclass
class Running:
    """A console under gunicorn."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path
    cookie: str = ""

    def get(self, path: str, headers: Mapping[str, str] = {}) -> tuple[int, bytes]:
        """Ask over a connection of its own, so that any process may answer."""
        return self.send("GET", path, headers)[:2]

    def send(
        self, method: str, path: str, headers: Mapping[str, str] = {}, body: str | None = None
    ) -> tuple[int, bytes, http.client.HTTPMessage]:
        with closing(http.client.HTTPConnection(ADDRESS, self.port, timeout=30)) as connection:
            connection.request(method, path, body, {"X-Fleet-Front": FRONT_SECRET, **headers})
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers

    def sign_in(self, name: str) -> None:
        status, _, headers = self.send(
            "POST",
            "/console/sign-in",
            {"Content-Type": "application/x-www-form-urlencoded", "X-Real-IP": "10.0.0.9"},
            urlencode({"name": name, "password": PASSWORD}),
        )
        assert status == 303
        self.cookie = headers["Set-Cookie"].partition(";")[0]
        assert self.cookie.startswith(COOKIE)

    def verdict(self, method: str, uri: str) -> int:
        """Return how the console answers nginx's question."""
        question = {
            "X-Original-Method": method,
            "X-Original-URI": uri,
            "X-Original-Host": HOST,
            "Origin": f"https://{HOST}",
            "Cookie": self.cookie,
        }
        return self.get("/auth", question)[0]

    def children(self) -> list[int]:
        tasks = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in tasks.read_text().split()]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@pytest.fixture
def link(postgres_settings: PostgresSettings) -> Iterator[Cable]:
    """The way to Postgres; cut, it refuses nothing and answers nothing."""
    link = Cable(postgres_settings.host, postgres_settings.port)
    yield link
    link.close()


@pytest.fixture
def running(
    settings: ConsoleSettings, people: None, link: Cable, tmp_path: Path
) -> Iterator[Running]:
    through = replace(settings.postgres, host=link.address, port=link.port)
    console = start_console(replace(settings, postgres=through), tmp_path / "console.log")
    try:
        wait_until(lambda: answers(console), "the console answering")
        yield console
    finally:
        end(console.process)


def start_console(settings: ConsoleSettings, log: Path) -> Running:
    port = free_port(ADDRESS)
    environ = {
        **os.environ,
        **postgres_environment(settings.postgres),
        **redis_environment(settings.redis),
        "FRONT_SECRET": settings.front_secret,
        "SESSION_KEY": settings.session_key,
        "ALERT_TOKEN": settings.alert_token,
        "MASTER_URL": settings.master_url,
        "REPORTS_DIR": str(settings.reports_dir),
    }
    command = [
        *(sys.executable, "-m", "gunicorn", "--config", str(ROOT / "conf" / "gunicorn.py")),
        *("--bind", f"{ADDRESS}:{port}", "--workers", "2", "locust_fleet.console:create_app()"),
    ]
    return Running(port, start(command, log, environ), log)


def answers(console: Running) -> bool:
    assert console.process.poll() is None, console.log.read_text()
    try:
        return console.get("/health")[0] == 200
    except OSError:
        return False


def always(ask: Callable[[], int], expected: int) -> bool:
    """Tell whether all of many answers are as expected, so those of every process."""
    return all(ask() == expected for _ in range(30))


def test_a_changed_role_counts_in_every_process_within_two_seconds(
    running: Running, database: Connection
) -> None:
    running.sign_in("olga")
    assert always(lambda: running.verdict("POST", "/stop"), 204)

    accounts.set_role(database, "olga", Role.VIEWER)

    wait_until(
        lambda: always(lambda: running.verdict("POST", "/stop"), 403), "the demotion", SOON_S
    )


def test_signing_out_everywhere_counts_in_every_process_within_two_seconds(
    running: Running, database: Connection
) -> None:
    running.sign_in("olga")

    accounts.end_sessions(database, "olga")

    wait_until(lambda: always(lambda: running.verdict("GET", "/"), 401), "the sign-out", SOON_S)


def test_hashing_passwords_does_not_hold_up_other_requests(running: Running) -> None:
    running.sign_in("olga")
    done = threading.Event()

    def guess(number: int) -> None:
        while not done.is_set():
            running.send(
                "POST",
                "/console/sign-in",
                {
                    "Content-Type": "application/x-www-form-urlencoded",
                    "X-Real-IP": f"10.1.{number}.{time.monotonic_ns() % 250}",
                },
                urlencode({"name": f"guess{time.monotonic_ns()}", "password": "wrong"}),
            )

    guessers = [threading.Thread(target=guess, args=(number,)) for number in range(4)]
    for guesser in guessers:
        guesser.start()
    times = sorted(timed(lambda: running.verdict("GET", "/")) for _ in range(100))
    done.set()
    for guesser in guessers:
        guesser.join()

    # One hash takes some 30 ms of a core, and the guessers keep several under way.
    assert times[50] < 0.05


def test_a_frozen_postgres_holds_up_nobody_who_is_signed_in(running: Running, link: Cable) -> None:
    running.sign_in("olga")

    link.cut()
    times = sorted(timed(lambda: running.verdict("POST", "/stop")) for _ in range(50))

    assert times[-1] < 1.0
    assert always(lambda: running.verdict("POST", "/stop"), 204)
    link.mend()


def test_a_frozen_postgres_is_noticed_and_its_return_too(running: Running, link: Cable) -> None:
    def postgres_is(there: bool) -> bool:
        text = b'"postgres":true' if there else b'"postgres":false'
        return all(text in running.get("/ready")[1] for _ in range(10))

    wait_until(lambda: postgres_is(True), "Postgres in use")
    link.cut()
    wait_until(lambda: postgres_is(False), "the loss of Postgres noticed", 15)
    link.mend()
    wait_until(lambda: postgres_is(True), "the return of Postgres noticed", 15)


def test_an_orderly_end_writes_the_audit_log(running: Running, database: Connection) -> None:
    running.sign_in("vera")
    for _ in range(5):
        running.verdict("POST", "/stop")

    assert running.stop() == 0

    [(count,)] = database.execute("SELECT count(*) FROM audit_log").fetchall()
    assert count == 6


def test_a_process_that_dies_is_replaced(running: Running, link: Cable) -> None:
    wait_until(lambda: link.used >= 2, "two processes reading accounts")
    used, [first, _] = link.used, running.children()

    os.kill(first, signal.SIGKILL)

    wait_until(lambda: link.used > used, "a new process reading accounts")
    assert first not in running.children()
    assert always(lambda: running.get("/health")[0], 200)


def test_the_longest_address_that_nginx_lets_in_is_judged(running: Running) -> None:
    running.sign_in("olga")

    assert running.verdict("GET", "/console/runs?before=" + "x" * 8100) == 204
    assert running.verdict("GET", "/console/" + "x" * 8100) == 403


def test_a_wrong_setting_stops_it_with_the_name_of_the_setting(
    settings: ConsoleSettings, tmp_path: Path
) -> None:
    console = start_console(replace(settings, session_key=""), tmp_path / "console.log")

    assert console.process.wait(30) != 0
    assert "SESSION_KEY is not set" in console.log.read_text()


def test_a_line_of_the_log_tells_whose_request_it_was(running: Running, link: Cable) -> None:
    link.close()

    asker = {"X-Fleet-User": "vera", "X-Fleet-Role": "viewer", "X-Request-ID": "4f2a"}
    wait_until(lambda: running.get("/api/v1/runs", asker)[0] == 503, "Postgres missed")

    lines = [json.loads(line) for line in running.log.read_text().splitlines()]
    [line, *_] = [line for line in lines if "GET /api/v1/runs" in line["message"]]
    assert (line["user_id"], line["request_id"]) == ("vera", "4f2a")


def timed(action: Callable[[], object]) -> float:
    begun = time.monotonic()
    action()
    return time.monotonic() - begun


def test_all_processes_count_the_requests_of_all(running: Running) -> None:
    for _ in range(40):
        running.get("/health")

    def counted() -> list[float]:
        lines = running.get("/metrics")[1].decode().splitlines()
        name = 'fleet_console_requests_total{method="GET",status="200"}'
        return [float(line.rpartition(" ")[2]) for line in lines if line.startswith(name)]

    before, after = counted(), counted()
    assert before[0] >= 40
    assert after[0] == before[0] + 1
