"""What the front says while something behind it is missing, and what its settings change."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.integration.front.conftest import (
    ADDRESS,
    NGINX,
    PAGE,
    VIEWER,
    Answer,
    Front,
    make_secrets,
    untrusting,
)
from tests.support.engine import docker
from tests.support.waiting import wait_until

pytestmark = pytest.mark.docker


@contextmanager
def running(front: Front) -> Iterator[Front]:
    try:
        front.start()
        yield front
    finally:
        front.stop()


@pytest.fixture
def front_with(secrets: Path) -> Iterator[Callable[..., Front]]:
    """Start a front with settings."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(running(Front(secrets, settings)))


def assert_page(answer: Answer, title: str, *, again: bool) -> None:
    page = answer.body.decode()
    assert f"<h1>{title}</h1>" in page
    assert ('http-equiv="refresh"' in page) is again
    assert "<script" not in page
    assert "style=" not in page
    assert (answer.header("Content-Type") or "").startswith("text/html; charset=utf-8")
    assert answer.header("X-Content-Type-Options") == "nosniff"


def test_nginx_starts_with_nothing_behind_it_and_says_what_is_missing(empty_front: Front) -> None:
    assert empty_front.ask("GET", "/health").status == 200
    page = empty_front.ask("GET", "/", PAGE | VIEWER)
    assert page.status == 503
    assert_page(page, "The console is not answering", again=True)
    assert page.header("Retry-After") == "5"
    for path in ("/", "/console/", "/api/v1/runs", "/ready", "/stats/requests"):
        answer = empty_front.ask("GET", path, VIEWER)
        assert (answer.status, answer.json["code"]) == (503, "console_away")
        assert "console" in answer.json["error"]
        assert answer.header("Content-Security-Policy")
    answer = empty_front.ask("POST", "/stop", VIEWER, "x" * 10_000)
    assert (answer.status, answer.json["code"]) == (503, "console_away")
    style = empty_front.ask("GET", "/front.css")
    assert (style.status, style.header("Content-Type")) == (200, "text/css")


def test_without_the_master_the_console_works_and_the_ui_says_so(empty_front: Front) -> None:
    empty_front.start_console()
    page = empty_front.ask("GET", "/", PAGE | VIEWER)
    assert page.status == 503
    assert_page(page, "The Locust master is not answering", again=True)
    answer = empty_front.ask("GET", "/stats/requests", VIEWER)
    assert (answer.status, answer.json["code"]) == (503, "master_away")
    assert empty_front.ask("GET", "/console/runs", VIEWER).status == 200
    # Nobody learns that who is not signed in.
    assert empty_front.ask("GET", "/stats/requests").status == 401


def test_a_recreated_container_is_found_at_its_new_address(empty_front: Front) -> None:
    empty_front.start_console()
    empty_front.start_master()
    former = empty_front.address_of("locust-master")
    empty_front.remove("locust-master")
    assert empty_front.ask("GET", "/", VIEWER).status == 503
    # Takes the address that the master had.
    empty_front.start_stub("squatter", "console")
    empty_front.start_master()
    assert empty_front.address_of("locust-master") != former
    assert empty_front.address_of("squatter") == former
    assert empty_front.ask("GET", "/", VIEWER).json["role"] == "master"


def test_a_console_that_hangs_is_given_up_soon(empty_front: Front) -> None:
    empty_front.start_console()
    docker("pause", empty_front.containers["console"])
    try:
        answer = empty_front.ask("GET", "/", VIEWER)
    finally:
        docker("unpause", empty_front.containers["console"])
    assert (answer.status, answer.json["code"]) == (503, "console_away")


def test_a_name_that_is_not_allowed_gets_a_page_with_the_setting(
    front_with: Callable[..., Front],
) -> None:
    front = front_with(ALLOWED_HOSTS="Load.example.org, *.internal.example")
    front.start_console()
    for host in ("evil.example", "example.org", "x.load.example.org", "internal.example"):
        for tls in (True, False):
            answer = front.ask("GET", "/", VIEWER | {"Host": host}, tls=tls)
            assert (answer.status, answer.json["code"]) == (421, "unknown_host")
            assert "ALLOWED_HOSTS" in answer.json["error"]
    page = front.ask("GET", "/", PAGE | {"Host": "evil.example"})
    assert_page(page, "This name is not served here", again=False)
    for host in ("load.example.org", "LOAD.example.org:443", "a.b.internal.example"):
        assert front.ask("GET", "/console/sign-in", {"Host": host}).status == 200
    # Health checks ask by address.
    assert front.ask("GET", "/health", {"Host": "10.0.0.1"}, tls=False).status == 200
    assert front.ask("GET", "/ready", {"Host": "10.0.0.1"}).status == 200


def test_port_443_is_left_out_and_a_given_certificate_means_hsts(
    front_with: Callable[..., Front],
) -> None:
    front = front_with(HTTPS_PORT="443", SSL_CERT_PATH="/etc/ssl/mine.pem")
    plain = front.ask("GET", "/x", {"Host": "load.example"}, tls=False)
    assert plain.header("Location") == "https://load.example/x"
    assert plain.header("Strict-Transport-Security") is None
    for path in ("/", "/health", "/nothing//"):
        answer = front.ask("GET", path)
        assert answer.header("Strict-Transport-Security") == "max-age=31536000"


@pytest.mark.parametrize(
    "settings", [{"HTTPS_PORT": "443"}, {"HTTPS_PORT": "8443", "SSL_CERT_PATH": "/x.pem"}]
)
def test_no_hsts_with_our_own_certificate_or_on_another_port(
    front_with: Callable[..., Front], settings: dict[str, str]
) -> None:
    answer = front_with(**settings).ask("GET", "/health")
    assert answer.header("Strict-Transport-Security") is None


def test_a_certificate_that_was_renewed_in_place_is_taken_on_reload(tmp_path: Path) -> None:
    make_secrets(tmp_path)
    with running(Front(tmp_path)) as front:
        former = certificate(front)
        make_secrets(tmp_path)
        assert certificate(front) == former
        docker("exec", front.containers["nginx"], "nginx", "-s", "reload")
        wait_until(lambda: certificate(front) != former, "the new certificate", 10)


def certificate(front: Front) -> bytes | None:
    plain = socket.create_connection((ADDRESS, front.https_port), timeout=10)
    with untrusting().wrap_socket(plain) as connection:
        return connection.getpeercert(binary_form=True)


def test_every_page_has_its_json() -> None:
    pages = {file.stem for file in (NGINX / "pages").glob("*.html")}
    assert pages == {file.stem for file in (NGINX / "pages").glob("*.json")}
