"""The real nginx with its real configuration, in front of stubs of console and master."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import self_signed
from tests.support.checkout import ROOT
from tests.support.engine import docker
from tests.support.stackfiles import raw_compose
from tests.support.waiting import wait_until

NGINX = ROOT / "nginx"
NGINX_IMAGE = os.environ.get("NGINX_IMAGE", "locust-fleet/nginx:packages")
PYTHON_IMAGE = os.environ.get("PYTHON_IMAGE", "locust-fleet/python:packages")
ADDRESS = "127.0.0.1"
# What compose sets without asking .env.
FIXED = {
    name: value
    for name, value in raw_compose()["services"]["nginx"]["environment"].items()
    if "$" not in value
}
# As in docker-compose.prod.yml: no root, no capability, nothing writable but memory.
HARDENING = (
    *("--user", "101:101", "--read-only", "--cap-drop", "ALL"),
    *("--security-opt", "no-new-privileges", "--init"),
    *("--tmpfs", "/etc/nginx/conf.d:uid=101,gid=101,mode=700"),
    *("--tmpfs", "/var/cache/nginx:uid=101,gid=101,mode=700"),
    *("--tmpfs", "/run:uid=101,gid=101,mode=755", "--tmpfs", "/tmp"),
)
MOUNTS = {
    "nginx.conf": "/etc/nginx/nginx.conf",
    "templates": "/etc/nginx/templates",
    "snippets": "/etc/nginx/snippets",
    "pages": "/usr/share/nginx/fleet",
    "10-settings.envsh": "/docker-entrypoint.d/10-settings.envsh",
}
VIEWER, OPERATOR, ADMIN = (
    {"Cookie": f"__Host-fleet_session={role}.0123456789"}
    for role in ("viewer", "operator", "admin")
)
PAGE = {"Accept": "text/html,application/xhtml+xml"}


@dataclass(frozen=True)
class Answer:
    """What nginx sent back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def header(self, name: str) -> str | None:
        """Return a header that may be there once; None where it is not."""
        values = self.headers.get_all(name, [])
        assert len(values) < 2, f"{name} came {len(values)} times"
        return values[0] if values else None

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def received(self, name: str) -> list[str]:
        """Return what the stub that echoes got in a header."""
        return [value for key, value in self.json["headers"] if key == name.lower()]


def untrusting() -> ssl.SSLContext:
    """A client that takes the self-signed certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@dataclass
class Front:
    """A network with nginx on it, and stubs when they are started."""

    secrets: Path
    settings: dict[str, str] = field(default_factory=dict)
    network: str = field(default_factory=lambda: f"fleet-front-{uuid.uuid4().hex[:8]}")
    containers: dict[str, str] = field(default_factory=dict)
    http_port: int = 0
    https_port: int = 0

    def start(self) -> None:
        docker("network", "create", self.network)
        options = [*HARDENING, "--publish", f"{ADDRESS}::8080", "--publish", f"{ADDRESS}::8443"]
        for name, path in MOUNTS.items():
            options += ["--volume", f"{NGINX / name}:{path}:ro"]
        for name in ("front_secret", "tls_cert.pem", "tls_key.pem"):
            options += ["--volume", f"{self.secrets / name}:/run/secrets/{name}:ro"]
        for name, value in {**FIXED, **self.settings}.items():
            options += ["--env", f"{name}={value}"]
        self.run("nginx", *options, NGINX_IMAGE)
        self.http_port, self.https_port = self.port(8080), self.port(8443)
        wait_until(self.is_healthy, f"nginx answering\n{self.logs()}", 20)

    def stop(self) -> None:
        for name in list(self.containers):
            self.remove(name)
        docker("network", "rm", self.network)

    def start_stub(self, name: str, role: str) -> None:
        stub = Path(__file__).with_name("stub.py")
        self.run(
            *(name, "--volume", f"{stub}:/stub.py:ro", "--network-alias", name),
            *("--entrypoint", "python3", PYTHON_IMAGE, "-u", "/stub.py", role),
        )

    def start_console(self) -> None:
        self.start_stub("console", "console")
        wait_until(lambda: self.ask("GET", "/ready").status == 200, "the console answering", 20)

    def start_master(self) -> None:
        self.start_stub("locust-master", "master")
        wait_until(lambda: self.ask("GET", "/", VIEWER).status == 200, "the master answering", 20)

    def start_other_master(self) -> None:
        self.start_stub("other-master", "other")
        wait_until(lambda: self.ask("GET", "/led", VIEWER).status == 200, "it answering", 20)

    def run(self, name: str, *options: str) -> None:
        self.containers[name] = docker("run", "--detach", "--network", self.network, *options)

    def remove(self, name: str) -> None:
        docker("rm", "--force", "--volumes", self.containers.pop(name))

    def address_of(self, name: str) -> str:
        form = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        return docker("inspect", "--format", form, self.containers[name])

    def port(self, inside: int) -> int:
        published = docker("port", self.containers["nginx"], str(inside))
        return int(published.splitlines()[0].rpartition(":")[2])

    def logs(self) -> str:
        done = subprocess.run(
            ["docker", "logs", self.containers["nginx"]],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr

    def is_healthy(self) -> bool:
        try:
            return self.ask("GET", "/health", tls=False).status == 200
        except (OSError, http.client.HTTPException):
            return False

    def ask(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        body: str | bytes | None = None,
        *,
        tls: bool = True,
    ) -> Answer:
        """Send one request on a connection of its own."""
        connection = self.connect(tls=tls)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def connect(self, *, tls: bool = True) -> http.client.HTTPConnection:
        if tls:
            return http.client.HTTPSConnection(
                ADDRESS, self.https_port, timeout=30, context=untrusting()
            )
        return http.client.HTTPConnection(ADDRESS, self.http_port, timeout=30)

    def raw(self, request: bytes, *, tls: bool = True) -> Answer:
        """Send exactly these bytes, which http.client would refuse to."""
        plain = socket.create_connection(
            (ADDRESS, self.https_port if tls else self.http_port), timeout=30
        )
        with untrusting().wrap_socket(plain) if tls else plain as connection:
            connection.sendall(request)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            return Answer(answer.status, answer.headers, answer.read())


def make_secrets(folder: Path) -> None:
    """Write the secrets of nginx, in place where they exist: a container mounts the very file."""
    # pytest's own folders are closed to others, and nginx is one.
    folder.chmod(0o755)
    certificate, key = self_signed("localhost")
    (folder / "tls_key.pem").write_text(key)
    (folder / "tls_cert.pem").write_text(certificate)
    (folder / "front_secret").write_text("0123456789abcdef")
    for file in folder.iterdir():
        file.chmod(0o644)


@pytest.fixture(scope="session")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("secrets")
    make_secrets(folder)
    return folder


@pytest.fixture
def empty_front(secrets: Path) -> Iterator[Front]:
    """nginx with none of its upstreams."""
    front = Front(secrets)
    try:
        front.start()
        yield front
    finally:
        front.stop()


@pytest.fixture(scope="session")
def front(secrets: Path) -> Iterator[Front]:
    """nginx, a console and a master; for tests that leave them as they are."""
    front = Front(secrets, {"HTTPS_PORT": "8443"})
    try:
        front.start()
        front.start_console()
        front.start_master()
        yield front
    finally:
        front.stop()
