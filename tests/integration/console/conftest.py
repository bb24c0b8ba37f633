"""The console with a real Postgres and Redis, asked the way nginx asks it, and a master's stub."""

from __future__ import annotations

import json
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import Client, TestResponse

from locust_fleet.console import app
from locust_fleet.console.access import accounts
from locust_fleet.console.access.passwords import hash_password
from locust_fleet.console.access.roles import Role
from locust_fleet.console.access.sessions import COOKIE
from locust_fleet.console.services import Services
from locust_fleet.runtime import postgres
from locust_fleet.runtime.postgres import Connect, Connection
from locust_fleet.settings.console import ConsoleSettings
from locust_fleet.settings.fleet import LogSettings
from locust_fleet.settings.stores import PostgresSettings, RedisSettings

FRONT_SECRET = "front"
ALERT_TOKEN = "alert"
HOST = "load.example"
PASSWORD = "a good password"
# Once: a hash takes as long as all the rest of a test.
PASSWORD_HASH = hash_password(PASSWORD)
RUN_ID = "20260102-030405-abcd"
PAGE = {"Accept": "text/html,application/xhtml+xml"}


def idle_status() -> dict[str, Any]:
    return {
        "state": "ready",
        "users": 0,
        "target_users": 0,
        "workers": 2,
        "worker_list": [
            {"id": f"w{number}", "state": "ready", "users": 0, "cpu_percent": 1.5}
            for number in (1, 2)
        ],
        "locustfile": "/locustfiles/demo_shop.py",
        "run": None,
        "totals": {
            "requests": 0,
            "failures": 0,
            "requests_per_second": 0.0,
            "p50_ms": None,
            "p95_ms": None,
        },
        "problems": [],
        "spool_files": 0,
    }


def running_status(run_id: str = RUN_ID) -> dict[str, Any]:
    return {
        **idle_status(),
        "state": "running",
        "users": 10,
        "target_users": 12,
        "run": {
            "id": run_id,
            "name": "evening",
            "started_by": "olga",
            "locustfile": "/locustfiles/demo_shop.py",
            "host": "http://demo-target:8000",
            "users": 12,
            "spawn_rate": 2.0,
            "run_time_s": 60.0,
            "started_at": "2026-01-02T03:04:05+00:00",
            "ends_at": "2026-01-02T03:05:05+00:00",
            "state": "running",
        },
        "totals": {
            "requests": 120,
            "failures": 3,
            "requests_per_second": 24.0,
            "p50_ms": 11.0,
            "p95_ms": 42.0,
        },
    }


@dataclass
class Master:
    """What the stub of the master answers, and what it was asked to do."""

    status: dict[str, Any] = field(default_factory=idle_status)
    start_answer: dict[str, Any] = field(
        default_factory=lambda: {"success": True, "message": "", "run_id": RUN_ID}
    )
    asked: list[tuple[str, dict[str, str], Mapping[str, str]]] = field(default_factory=list)

    def answer(self, path: str, form: dict[str, str], headers: Mapping[str, str]) -> dict[str, Any]:
        if path == "/fleet/run":
            return self.status
        self.asked.append((path, form, headers))
        return self.start_answer if path == "/swarm" else {"success": True}


class _Handler(BaseHTTPRequestHandler):
    master: Master

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self._answer(dict(urllib.parse.parse_qsl(body)))

    def _answer(self, form: dict[str, str]) -> None:
        allowed = self.headers.get("X-Fleet-Front") == FRONT_SECRET
        answer = self.master.answer(self.path, form, dict(self.headers)) if allowed else {}
        body = json.dumps(answer).encode()
        self.send_response(200 if allowed else 403)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@dataclass
class Front:
    """Asks the console as nginx does: first whether a request may be, then the request itself."""

    app: Flask
    cookie: str | None = None
    token: str | None = None

    def ask(
        self,
        method: str,
        uri: str,
        *,
        origin: str | None = f"https://{HOST}",
        headers: Mapping[str, str] | None = None,
        data: Mapping[str, str] | None = None,
        json: object = None,
    ) -> TestResponse:
        """Return what the client would get."""
        client = Client(self.app, use_cookies=False)
        verdict = self.verdict(method, uri, origin=origin)
        sent = {"X-Fleet-Front": FRONT_SECRET, "X-Real-IP": "10.0.0.9", **(headers or {})}
        if verdict.status_code != 204:
            sent |= {
                "X-Fleet-Refusal-Status": str(verdict.status_code),
                "X-Fleet-Refusal": verdict.headers["X-Fleet-Refusal"],
                "X-Original-Method": method,
                "X-Original-URI": uri,
            }
            return client.get("/refused", headers=sent)
        sent["X-Fleet-User"] = verdict.headers.get("X-Fleet-User", "")
        sent["X-Fleet-Role"] = verdict.headers.get("X-Fleet-Role", "")
        return client.open(uri, method=method, headers=sent, data=data, json=json)

    def verdict(
        self, method: str, uri: str, *, origin: str | None = f"https://{HOST}"
    ) -> TestResponse:
        """Return the console's answer to nginx's question."""
        question = {
            "X-Fleet-Front": FRONT_SECRET,
            "X-Real-IP": "10.0.0.9",
            "X-Original-Method": method,
            "X-Original-URI": uri,
            "X-Original-Host": HOST,
        }
        if origin is not None and method not in ("GET", "HEAD"):
            question["Origin"] = origin
        if self.cookie:
            question["Cookie"] = f"{COOKIE}={self.cookie}"
        if self.token:
            question["Authorization"] = f"Bearer {self.token}"
        return Client(self.app, use_cookies=False).get("/auth", headers=question)

    def sign_in(self, name: str, password: str = PASSWORD) -> TestResponse:
        """Send the sign-in form, and keep the session it opens."""
        answer = self.ask("POST", "/console/sign-in", data={"name": name, "password": password})
        if "Set-Cookie" in answer.headers:
            self.cookie = answer.headers["Set-Cookie"].partition("=")[2].partition(";")[0]
        return answer


@pytest.fixture
def master() -> Master:
    return Master()


@pytest.fixture
def master_url(master: Master) -> Iterator[str]:
    handler = type("Handler", (_Handler,), {"master": master})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def settings(
    postgres_settings: PostgresSettings,
    redis_settings: RedisSettings,
    master_url: str,
    tmp_path: Path,
) -> ConsoleSettings:
    return ConsoleSettings(
        postgres=postgres_settings,
        redis=redis_settings,
        logs=LogSettings("INFO", "JSON", None),
        front_secret=FRONT_SECRET,
        alert_token=ALERT_TOKEN,
        session_key="key",
        session_hours=1,
        master_url=master_url,
        reports_dir=tmp_path,
        prometheus=True,
        grafana=False,
        several_processes=False,
    )


@pytest.fixture
def people(postgres_settings: PostgresSettings) -> None:
    """An account for each role: vera, olga and adam."""
    with postgres.connect(postgres_settings) as connection:
        for name, role in (("vera", Role.VIEWER), ("olga", Role.OPERATOR), ("adam", Role.ADMIN)):
            accounts.add(connection, name, PASSWORD_HASH, role)


@pytest.fixture
def build(settings: ConsoleSettings) -> Iterator[Callable[..., Flask]]:
    """Builds consoles, their background at rest: tests refresh and flush when they want to."""
    built: list[Flask] = []

    def build(changed: ConsoleSettings = settings, connect: Connect | None = None) -> Flask:
        stores = app.Stores.of(changed)
        console = app.build(changed, replace(stores, connect=connect) if connect else stores)
        built.append(console)
        return console

    yield build
    for console in built:
        parts = parts_of(console)
        parts.directory.close()
        parts.audit.close()
        parts.redis.close()


@pytest.fixture
def console(build: Callable[..., Flask], people: None) -> Flask:
    """A console that knows everybody."""
    console = build()
    parts_of(console).directory.refresh()
    return console


@pytest.fixture
def database(postgres_settings: PostgresSettings) -> Iterator[Connection]:
    with postgres.connect(postgres_settings) as connection:
        yield connection


@pytest.fixture
def vera(console: Flask) -> Front:
    return signed_in(console, "vera")


@pytest.fixture
def olga(console: Flask) -> Front:
    return signed_in(console, "olga")


@pytest.fixture
def adam(console: Flask) -> Front:
    return signed_in(console, "adam")


def signed_in(console: Flask, name: str) -> Front:
    front = Front(console)
    assert front.sign_in(name).status_code == 303
    return front


def parts_of(console: Flask) -> Services:
    parts: Services = console.extensions["fleet"]
    return parts


def audit_of(console: Flask, database: Connection) -> list[tuple[str, str, bool]]:
    """Return actor, action and whether it was allowed, the oldest first."""
    parts_of(console).audit.flush()
    return database.execute("SELECT actor, action, allowed FROM audit_log ORDER BY at").fetchall()
