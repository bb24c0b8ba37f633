"""The exporters sign in as the compose file has them do it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.certificates import self_signed
from tests.support.checkout import ROOT
from tests.support.engine import docker
from tests.support.waiting import wait_until

pytestmark = pytest.mark.docker

REDIS = os.environ.get("REDIS_IMAGE", "locust-fleet/redis:packages")
POSTGRES = os.environ.get("POSTGRES_IMAGE", "locust-fleet/postgres:packages")
REDIS_EXPORTER = os.environ.get("REDIS_EXPORTER_IMAGE", "locust-fleet/redis-exporter:packages")
POSTGRES_EXPORTER = os.environ.get(
    "POSTGRES_EXPORTER_IMAGE", "locust-fleet/postgres-exporter:packages"
)
# The server wants its key for itself.
WITH_TLS = """
cp /run/secrets/tls_*.pem /tmp/
chown postgres /tmp/tls_*.pem
chmod 600 /tmp/tls_*.pem
exec docker-entrypoint.sh postgres -c ssl=on -c ssl_cert_file=/tmp/tls_cert.pem \
  -c ssl_key_file=/tmp/tls_key.pem
"""

REDIS_PASSWORD = """it's a "quoted" \\ one"""

Start = Callable[..., str]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start containers that reach each other by name."""
    with ExitStack() as stack:
        network = f"fleet-exporters-{uuid.uuid4().hex[:8]}"
        docker("network", "create", network)
        stack.callback(docker, "network", "rm", network)

        def run(name: str, *arguments: str) -> str:
            options = ("--detach", "--network", network, "--network-alias", name)
            identity = docker("run", *options, *arguments)
            stack.callback(docker, "rm", "--force", "--volumes", identity)
            return identity

        yield run


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    # pytest's own folders are closed to others, and the exporters are some.
    tmp_path.chmod(0o755)
    (tmp_path / "reader_password").write_text("0ddf0b7c2f8b")
    (tmp_path / "redis_password").write_text(REDIS_PASSWORD)
    return tmp_path


@pytest.fixture
def certificate(secrets: Path) -> None:
    certificate, key = self_signed("db-elsewhere")
    (secrets / "tls_cert.pem").write_text(certificate)
    (secrets / "tls_key.pem").write_text(key)


def says(exporter: str, port: int, line: str) -> bool:
    """Tell whether an exporter answers, and with this line among others."""
    ask = f"wget -qO- http://127.0.0.1:{port}/metrics || true"
    return line in docker("exec", exporter, "sh", "-c", ask).splitlines()


def start_exporter_of_postgres(start: Start, secrets: Path, host: str) -> str:
    environment = {
        "POSTGRES_HOST": host,
        "POSTGRES_PORT": "5432",
        "POSTGRES_DB": "postgres",
        "DATA_SOURCE_USER": "postgres",
        "DATA_SOURCE_PASS_FILE": "/run/secrets/reader_password",
    }
    return start(
        *("exporter", "--volume", f"{secrets}:/run/secrets:ro", "--entrypoint", "sh"),
        *("--volume", f"{ROOT}/postgres-exporter:/etc/postgres-exporter:ro"),
        *(word for name, value in environment.items() for word in ("--env", f"{name}={value}")),
        *(POSTGRES_EXPORTER, "/etc/postgres-exporter/start.sh"),
    )


def test_redis_is_asked_with_its_password_and_nobody_else(start: Start, secrets: Path) -> None:
    for name in ("redis", "elsewhere"):
        start(name, REDIS, "redis-server", "--requirepass", REDIS_PASSWORD)
    exporter = start(
        *("exporter", "--env", "REDIS_ADDR=redis://redis:6379", "--entrypoint", "sh"),
        *("--volume", f"{secrets}:/run/secrets:ro"),
        *("--volume", f"{ROOT}/redis-exporter:/etc/redis-exporter:ro"),
        *(REDIS_EXPORTER, "/etc/redis-exporter/start.sh"),
    )

    def up(host: str) -> str:
        address = f"http://127.0.0.1:9121/scrape?target=redis://{host}:6379"
        text = docker("exec", exporter, "sh", "-c", f"wget -qO- '{address}' || true")
        return "".join(line for line in text.splitlines() if line.startswith("redis_up "))

    wait_until(lambda: says(exporter, 9121, "redis_up 1"), "the exporter seeing Redis")
    wait_until(lambda: up("redis") == "redis_up 1", "Redis seen by its name")
    # Anybody inside may ask it about a server of his own, and would get the password told.
    wait_until(lambda: up("elsewhere") == "redis_up 0", "the password kept")


@pytest.mark.parametrize("host", ["postgres", "db-elsewhere"])
def test_postgres_is_asked_without_tls_where_it_has_none(
    start: Start, secrets: Path, host: str
) -> None:
    start(host, "--env", "POSTGRES_PASSWORD=0ddf0b7c2f8b", POSTGRES)
    exporter = start_exporter_of_postgres(start, secrets, host)

    wait_until(lambda: says(exporter, 9187, "pg_up 1"), "Postgres seen")


@pytest.mark.usefixtures("certificate")
def test_postgres_elsewhere_is_asked_with_tls_where_it_has_it(start: Start, secrets: Path) -> None:
    start(
        *("db-elsewhere", "--env", "POSTGRES_PASSWORD=0ddf0b7c2f8b", "--entrypoint", "bash"),
        *("--volume", f"{secrets}:/run/secrets:ro", POSTGRES, "-ec", WITH_TLS),
    )
    exporter = start_exporter_of_postgres(start, secrets, "db-elsewhere")

    wait_until(lambda: says(exporter, 9187, "pg_up 1"), "Postgres seen")
    environment = docker("exec", exporter, "cat", "/proc/1/environ")
    assert "sslmode=require" in environment
