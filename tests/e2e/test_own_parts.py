"""What operators bring themselves: stores, certificate, private CA, packages, channels."""

from __future__ import annotations

import http.server
import os
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from locust_fleet.runtime import postgres
from locust_fleet.settings.stores import PostgresSettings
from tests.integration.notify.vendors import SECRET, Vendor, serve
from tests.support.checkout import ROOT
from tests.support.engine import container, docker
from tests.support.ports import free_port
from tests.support.postgres import running_postgres
from tests.support.redis import REDIS_IMAGE
from tests.support.stack import ADDRESS, Stack
from tests.support.waiting import wait_until

LOCUSTFILE = """
import inflection
from locust import FastHttpUser, HttpUser, constant, task


class Plain(HttpUser):
    wait_time = constant(0.1)

    @task
    def get(self):
        self.client.get("/", name=inflection.pluralize("Plain"))


class Quick(FastHttpUser):
    wait_time = constant(0.1)

    @task
    def get(self):
        self.client.get("/", name=inflection.pluralize("Quick"))
"""


MISSING = "Workers are missing from a running test."
FIRING = f"Critical: {MISSING}"


class OwnStack(Stack):
    """A stack whose stores, certificate and target are somebody else's."""

    def __init__(self, folder: Path, project: str) -> None:
        super().__init__(folder, project)
        # Where containers reach the host.
        self.host = docker(
            *("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}")
        )
        self.authority = Authority(folder / "authority")
        self.store = PostgresSettings(self.host, free_port(self.host), "load", "tester", "pw-of-pg")
        self.redis_port = free_port(self.host)
        self.target_port = free_port(self.host)

    def stranger(self) -> requests.Session:
        session = super().stranger()
        session.verify = str(self.authority.certificate)
        return session

    def sql(self, query: str) -> list[str]:
        with postgres.connect(self.store) as connection:
            return ["|".join(map(str, row)) for row in connection.execute(query.encode())]


class Authority:
    """A private certificate authority."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self._openssl(
            *("req", "-x509", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=Own CA"),
            *("-keyout", "ca.key", "-out", "ca.pem", "-days", "90"),
            *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
        )
        self.certificate = folder / "ca.pem"

    def issue(self, address: str) -> tuple[Path, Path]:
        """Make a certificate for an address; returns its file and that of its key."""
        name = self.folder / address
        self._openssl(
            *("req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={address}"),
            *("-keyout", f"{name}.key", "-out", f"{name}.csr"),
        )
        (self.folder / "ext").write_text(f"subjectAltName = IP:{address}\n")
        self._openssl(
            *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key"),
            *("-CAcreateserial", "-extfile", "ext", "-out", f"{name}.pem", "-days", "90"),
        )
        return Path(f"{name}.pem"), Path(f"{name}.key")

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)


@contextmanager
def target(stack: OwnStack) -> Iterator[None]:
    """Serve HTTPS on the host with a certificate of the private CA."""

    class Page(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Target(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Say nothing of connections that break off."""

    certificate, key = stack.authority.issue(stack.host)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    with Target((stack.host, stack.target_port), Page) as server:
        # Each connection shakes hands in its own thread, or one that says nothing holds up all.
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def stores(stack: OwnStack) -> Iterator[None]:
    """Run a Postgres and a Redis that are not the stack's."""
    at = (stack.host, str(stack.store.port))
    password = ("redis-server", "--requirepass", "pw-of-redis")
    with (
        running_postgres("load", "tester", "pw-of-pg", at),
        container(REDIS_IMAGE, 6379, command=password, at=f"{stack.host}:{stack.redis_port}"),
    ):
        yield


def old_run(stack: OwnStack) -> None:
    """Bring the database up to date, and put a run into it that ended eight days ago."""
    with postgres.connect(stack.store) as connection:
        postgres.migrate(connection, ROOT / "postgres" / "migrations")
        connection.execute(
            "INSERT INTO runs (id, started_by, locustfile, host, users, spawn_rate, started_at,"
            " ended_at, image_version, state) VALUES ('old', 'x', 'x', 'x', 1, 1,"
            " now() - interval '9 days', now() - interval '8 days', 'x', 'finished')"
        )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> OwnStack:
    return OwnStack(tmp_path_factory.mktemp("own"), f"fleet-own-{os.getpid()}")


@pytest.fixture(scope="module")
def dingtalk(project: OwnStack) -> Iterator[Vendor]:
    with serve("dingtalk", project.host) as vendor:
        yield vendor


@pytest.fixture(scope="module")
def own(project: OwnStack, dingtalk: Vendor) -> Iterator[OwnStack]:
    stack = project
    certificate, key = stack.authority.issue(ADDRESS)
    stack.set_env(
        POSTGRES_HOST=stack.host,
        POSTGRES_PORT=str(stack.store.port),
        POSTGRES_DB=stack.store.database,
        POSTGRES_USER=stack.store.user,
        POSTGRES_PASSWORD=stack.store.password,
        REDIS_HOST=stack.host,
        REDIS_PORT=str(stack.redis_port),
        REDIS_PASSWORD="pw-of-redis",
        SSL_CERT_PATH=str(certificate),
        SSL_KEY_PATH=str(key),
        TARGET_HOST=f"https://{stack.host}:{stack.target_port}",
        TARGET_CA_PATH=str(stack.authority.certificate),
        LOCUSTFILE="own.py",
        RESULTS_RETENTION_DAYS="7",
        DINGTALK_WEBHOOK_URL=dingtalk.url,
        DINGTALK_SECRET=SECRET,
    )
    stack.locustfile("own.py", LOCUSTFILE)
    packages = stack.folder / "requirements-scenarios.txt"
    packages.write_text(f"{packages.read_text()}inflection\n")
    with stores(stack), target(stack):
        old_run(stack)
        try:
            done = stack.deploy()
            assert done.returncode == 0, f"{done.stderr}\n{stack.logs()}"
            yield stack
        finally:
            stack.remove()


def test_stores_of_ones_own_take_the_place_of_the_bundled_ones(own: OwnStack) -> None:
    assert own.containers("postgres") == own.containers("redis") == []
    assert own.sql("SELECT name FROM accounts") == ["admin"]


def test_a_given_certificate_is_the_one_that_browsers_see(own: OwnStack) -> None:
    answer = requests.get(
        f"{own.url}/console/sign-in", verify=str(own.authority.certificate), timeout=10
    )

    assert answer.status_code == 200


def test_old_runs_are_deleted_after_the_days_that_are_set(own: OwnStack) -> None:
    wait_until(lambda: own.sql("SELECT id FROM runs WHERE id = 'old'") == [], "the old run gone")


def test_load_reaches_a_target_with_a_private_ca_through_both_clients(own: OwnStack) -> None:
    """The names of the requests are made by a package of requirements-scenarios.txt."""
    done = own.script(
        *("run_test.sh", "--users", "4", "--spawn-rate", "4", "--run-time", "10s"), timeout_s=120
    )

    assert done.returncode == 0, done.stderr
    run_id = Path(done.stdout.strip()).name
    rows = own.sql(f"SELECT name, failures FROM run_totals WHERE run_id = '{run_id}' ORDER BY name")
    assert rows == ["Plains|0", "Quicks|0"]


def test_a_killed_worker_is_told_of_within_90_seconds_and_once_more_when_it_is_back(
    own: OwnStack, dingtalk: Vendor
) -> None:
    admin = own.browser()
    run_id = own.start(admin, users=6)
    own.wait_for_users(admin, 6)
    victim, *_ = own.containers("locust-worker")

    def titles() -> list[str]:
        return [taken.body["markdown"]["title"] for taken in dingtalk.taken]

    def in_prometheus() -> bool:
        found = admin.get(f"{own.url}/prometheus/api/v1/alerts", timeout=10).json()
        return ("LocustWorkerDown", "firing") in {
            (alert["labels"]["alertname"], alert["state"]) for alert in found["data"]["alerts"]
        }

    def in_alertmanager() -> bool:
        found = admin.get(f"{own.url}/alertmanager/api/v2/alerts", timeout=10).json()
        return "LocustWorkerDown" in {alert["labels"]["alertname"] for alert in found}

    # What is killed by hand is not started again by Docker.
    docker("kill", victim)
    killed = time.monotonic()
    wait_until(in_prometheus, "the alert in Prometheus", 90)
    wait_until(in_alertmanager, "the alert in Alertmanager", 90)
    wait_until(lambda: FIRING in titles(), "the alert at DingTalk", 90)
    assert time.monotonic() - killed < 90

    docker("start", victim)
    wait_until(lambda: f"Resolved: {MISSING}" in titles(), "the resolution at DingTalk", 90)
    own.stop(admin, run_id)
    wait_until(lambda: any(run_id in title for title in titles()[-1:]), "the end of the run", 60)
