"""Deploying again changes what changed, and a deployment that fails leaves what was there."""

import re
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.support.ports import free_port
from tests.support.process import interrupt, start_script, wait_for_words
from tests.support.stack import ADDRESS, DEMO, Stack
from tests.support.waiting import wait_until


@contextmanager
def changed(file: Path, text: str) -> Iterator[None]:
    """Have other text in a file for a while; the file may be new."""
    before = file.read_text() if file.exists() else None
    file.write_text(text)
    try:
        yield
    finally:
        if before is None:
            file.unlink(missing_ok=True)
        else:
            file.write_text(before)


@contextmanager
def setting(stack: Stack, name: str, value: str) -> Iterator[None]:
    before = stack.env(name)
    stack.set_env(**{name: value})
    try:
        yield
    finally:
        stack.set_env(**{name: before})


def test_deploying_again_recreates_nothing_and_keeps_the_workers(stack: Stack) -> None:
    stack.scale(4)
    before = stack.containers()

    done = stack.deploy()

    assert done.returncode == 0, done.stderr
    assert stack.containers() == before


def test_an_unknown_environment_is_named_with_those_there_are(deployed: Stack) -> None:
    done = deployed.script("deploy.sh", "staging")

    assert done.returncode == 2
    assert "production" in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("POSTGRES_PORT", "99999", r"POSTGRES_PORT is 99999; use 1 to 65535 \(\.env line \d+\)"),
        ("WORKER_MEMORY_LIMIT", "2 gigs", r"WORKER_MEMORY_LIMIT is 2 gigs"),
        ("TARGET_HOST", "shop", r"TARGET_HOST is shop"),
        ("MAX_WORKERS", "many", r"MAX_WORKERS is many"),
        ("SSL_CERT_PATH", "/nowhere.pem", r"SSL_CERT_PATH|/nowhere\.pem"),
        ("LOCUSTFILE", "missing.py", r"missing\.py"),
    ],
)
def test_a_wrong_setting_is_named_and_nothing_is_changed(
    deployed: Stack, name: str, value: str, words: str
) -> None:
    before = deployed.containers()

    with setting(deployed, name, value):
        env = (deployed.folder / ".env").read_text()
        done = deployed.deploy()
        assert (deployed.folder / ".env").read_text() == env

    assert done.returncode == 2
    assert re.search(words, done.stderr), done.stderr
    assert deployed.containers() == before


def test_an_unknown_setting_is_named(deployed: Stack) -> None:
    env = deployed.folder / ".env"

    with changed(env, f"POSTGRES_PROT=5432\n{env.read_text()}"):
        done = deployed.deploy()

    assert done.returncode == 2
    assert "POSTGRES_PROT" in done.stderr


def test_a_port_that_is_taken_is_named(deployed: Stack) -> None:
    port = free_port(ADDRESS)
    with socket.socket() as taken, setting(deployed, "HTTPS_PORT", str(port)):
        taken.bind((ADDRESS, port))
        taken.listen()
        done = deployed.deploy("--check")

    assert done.returncode in (1, 2)
    assert str(port) in done.stderr


def test_a_changed_store_is_refused_while_a_run_is_active(
    stack: Stack, operator: requests.Session
) -> None:
    run_id = stack.start(operator, users=5, host=DEMO)
    stack.wait_for_users(operator, 5)
    before = stack.containers()
    file = stack.folder / "postgres" / "postgresql.conf"

    with changed(file, f"{file.read_text()}# changed\n"):
        done = stack.deploy()

    assert done.returncode == 3, done.stderr
    assert run_id in done.stderr
    assert stack.containers() == before
    assert stack.run(operator)["state"] == "running"


def test_an_image_that_does_not_work_is_taken_back(
    stack: Stack, operator: requests.Session
) -> None:
    code = stack.folder / "src" / "locust_fleet" / "bootstrap.py"

    with changed(code, "raise RuntimeError('unfit')\n"):
        done = stack.deploy()

    assert done.returncode == 1
    assert "locust-master" in done.stderr
    assert "unfit" in done.stderr
    stack.wait_for_workers(operator, 3)
    assert stack.deploy().returncode == 0


def test_a_migration_that_fails_changes_nothing(stack: Stack, operator: requests.Session) -> None:
    runs = stack.sql("SELECT count(*) FROM runs")
    bad = stack.folder / "postgres" / "migrations" / "9999_bad.sql"

    with changed(bad, "CREATE TABLE half (n integer); SELECT wrong;\n"):
        done = stack.deploy()

    assert done.returncode == 1
    assert "9999_bad.sql" in done.stderr
    assert stack.sql("SELECT count(*), to_regclass('half') FROM runs") == [f"{runs[0]}|"]
    stack.wait_for_workers(operator, 3)


def test_a_locustfile_that_does_not_import_is_explained_and_the_former_one_goes_on(
    stack: Stack, admin: requests.Session
) -> None:
    before = stack.containers()
    stack.locustfile("broken.py", "from locust import HttpUser\n\ndef oops(:\n")

    done = stack.script(
        "run_test.sh", "--users=1", "--spawn-rate=1", "--run-time=1s", "--locustfile=broken.py"
    )

    (stack.folder / "locustfiles" / "broken.py").unlink()
    assert done.returncode == 2
    assert "SyntaxError" in done.stderr
    assert stack.containers() == before
    assert "SyntaxError" in stack.run(admin)["problems"][0]
    assert stack.deploy().returncode == 0


def test_a_deployment_that_was_interrupted_can_be_repeated(stack: Stack) -> None:
    code = stack.folder / "src" / "locust_fleet" / "__init__.py"
    with changed(code, '"""Interrupted."""\n'):
        process = start_script(stack.folder / "scripts" / "deploy.sh", "production")
        wait_for_words(process, "the containers")

        exit_code, words = interrupt(process, signal.SIGINT)

        assert exit_code != 0, words
        done = stack.deploy()

    assert done.returncode == 0, done.stderr
    wait_until(lambda: stack.deploy().returncode == 0, "the former code deployed again", 300)
