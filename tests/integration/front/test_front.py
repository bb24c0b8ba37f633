"""What comes through the front, and what does not."""

from __future__ import annotations

import gzip
import json
import re
import socket
import ssl
import warnings
from typing import Any

import pytest

from tests.integration.front.conftest import (
    ADDRESS,
    ADMIN,
    OPERATOR,
    PAGE,
    VIEWER,
    Answer,
    Front,
    untrusting,
)
from tests.integration.front.stub import SESSION
from tests.support.engine import docker
from tests.support.waiting import wait_until

pytestmark = pytest.mark.docker

TOKEN = {"Authorization": "Bearer operator.abc"}
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Strict-Transport-Security": None,
    "Cache-Control": "no-store",
}


def assert_secure(answer: Answer) -> None:
    assert {name: answer.header(name) for name in SECURITY} == SECURITY
    assert "camera=()" in (answer.header("Permissions-Policy") or "")
    policy = answer.header("Content-Security-Policy") or ""
    assert policy.startswith("default-src 'self';")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.header("Server") == "nginx"
    assert re.fullmatch("[0-9a-f]{32}", answer.header("X-Request-ID") or "")


# --- who is asked, and what it is told


def test_the_master_is_told_who_asks_and_that_the_front_does(front: Front) -> None:
    answer = front.ask("GET", "/stats/requests?x=%2F", VIEWER)
    assert (answer.status, answer.json["role"]) == (200, "master")
    assert answer.json["path"] == "/stats/requests?x=%2F"
    assert answer.received("X-Fleet-Front") == ["0123456789abcdef"]
    assert answer.received("X-Fleet-User") == ["ann"]
    assert answer.received("X-Fleet-Role") == ["viewer"]
    assert answer.received("X-Forwarded-Proto") == ["https"]
    assert answer.received("X-Request-ID") == [answer.header("X-Request-ID")]
    assert answer.received("X-Forwarded-For") == answer.received("X-Real-IP")


def test_of_several_masters_the_one_answers_that_leads_by_the_consoles_word(front: Front) -> None:
    front.start_other_master()

    answers = [front.ask("GET", path, VIEWER).json["role"] for path in ("/led", "/stats/requests")]

    front.remove("other-master")
    assert answers == ["other master", "master"]


def test_the_master_gets_neither_session_nor_token(front: Front) -> None:
    answer = front.ask("GET", "/", VIEWER | TOKEN)
    assert answer.received("Cookie") == answer.received("Authorization") == []


def test_the_console_gets_both(front: Front) -> None:
    answer = front.ask("GET", "/console/", VIEWER | TOKEN)
    assert answer.json["role"] == "console"
    assert answer.received("Cookie") == [VIEWER["Cookie"]]
    assert answer.received("Authorization") == [TOKEN["Authorization"]]


@pytest.mark.parametrize("path", ["/console/", "/console/runs/20260101", "/api/v1/runs"])
def test_the_console_answers_its_own_paths(front: Front, path: str) -> None:
    assert front.ask("GET", path, VIEWER).json["role"] == "console"


def test_the_question_to_the_console_tells_all_it_needs(front: Front) -> None:
    sent = OPERATOR | {
        "Host": "load.example:8443",
        "Origin": "https://load.example:8443",
        "Sec-Fetch-Site": "same-origin",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    assert front.ask("POST", "/sw%61rm?a=b", sent, "user_count=3").json["body"] == "user_count=3"
    question = front.ask("GET", "/console/seen", ADMIN).json
    headers = dict(question["headers"])
    assert (question["method"], question["path"], question["body"]) == ("GET", "/auth", "")
    assert {name: headers[name] for name in headers if name.startswith("x-original-")} == {
        "x-original-method": "POST",
        "x-original-uri": "/sw%61rm?a=b",
        "x-original-host": "load.example:8443",
    }
    assert headers["origin"] == "https://load.example:8443"
    assert headers["sec-fetch-site"] == "same-origin"
    assert headers["cookie"] == OPERATOR["Cookie"]
    assert headers["x-fleet-front"] == "0123456789abcdef"
    assert headers["x-real-ip"]
    assert headers["x-request-id"]
    assert "content-length" not in headers


@pytest.mark.parametrize("path", ["/", "/console/", "/stop"])
def test_what_a_client_says_about_itself_is_overwritten(front: Front, path: str) -> None:
    forged = {
        "X-Fleet-User": "root",
        "X-Fleet-Role": "admin",
        "X-Fleet-Front": "guess",
        "X-Fleet-Refusal": "x",
        "X-Original-URI": "/harmless",
        "X-Real-IP": "6.6.6.6",
        "X-Forwarded-For": "6.6.6.6",
        "Forwarded": "for=6.6.6.6",
        "X_Fleet_User": "root",
        "Proxy": "http://evil.example",
    }
    answer = front.ask("GET", path, VIEWER | forged)
    assert answer.received("X-Fleet-User") == ["ann"]
    assert answer.received("X-Fleet-Role") == ["viewer"]
    assert answer.received("X-Fleet-Front") == ["0123456789abcdef"]
    assert not re.search(r"6\.6\.6\.6|root|guess|harmless|evil", answer.body.decode())
    question = front.ask("GET", "/console/seen", ADMIN).body.decode()
    assert not re.search(r"6\.6\.6\.6|root|guess|harmless|evil", question)


def test_somebody_unknown_has_no_name_even_if_he_gives_one(front: Front) -> None:
    forged = {"X-Fleet-User": "root", "X-Fleet-Role": "admin"}
    answer = front.ask("GET", "/console/sign-in", forged)
    assert answer.status == 200
    assert answer.received("X-Fleet-User") == answer.received("X-Fleet-Role") == []


def test_the_name_of_a_run_passes(front: Front) -> None:
    answer = front.ask("POST", "/swarm", OPERATOR | {"X-Fleet-Run-Name": "n%C3%A4chtlich"}, "a=b")
    assert answer.received("X-Fleet-Run-Name") == ["n%C3%A4chtlich"]


# --- refusals


def test_a_stranger_with_a_browser_is_sent_to_sign_in(front: Front) -> None:
    answer = front.ask("GET", "/", PAGE)
    assert (answer.status, answer.header("Location")) == (302, "/console/sign-in?next=x")
    assert_secure(answer)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
def test_a_program_without_token_gets_the_consoles_401(front: Front, method: str) -> None:
    answer = front.ask(method, "/api/v1/runs?x=y", body="{}" if method == "POST" else None)
    assert answer.status == 401
    assert (answer.json["method"], answer.json["path"]) == ("GET", "/refused")
    assert answer.received("X-Fleet-Refusal") == ["sign in first"]
    assert answer.received("X-Original-URI") == ["/api/v1/runs?x=y"]
    assert answer.received("X-Original-Method") == [method]
    assert answer.received("X-Fleet-Front") == ["0123456789abcdef"]
    assert_secure(answer)


def test_a_viewer_who_writes_gets_the_consoles_403(front: Front) -> None:
    answer = front.ask("POST", "/stop", VIEWER | {"X-Fleet-Refusal": "forged"}, "x" * 1000)
    assert answer.status == 403
    assert answer.received("X-Fleet-Refusal") == ["a viewer may not do that"]
    assert answer.received("X-Fleet-Refusal-Status") == ["403"]
    assert answer.json["body"] == ""
    assert_secure(answer)


def test_a_refusal_leaves_the_connection_usable(front: Front) -> None:
    connection = front.connect()
    for status in (401, 200, 403, 200):
        headers = {} if status == 401 else VIEWER
        connection.request("POST" if status == 403 else "GET", "/stop", "a=b", headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status
    connection.close()


def test_an_unclear_answer_of_the_console_lets_nobody_in(front: Front) -> None:
    answer = front.ask("GET", "/confused", ADMIN)
    assert (answer.status, answer.json["code"]) == (503, "console_away")


@pytest.mark.parametrize(
    "path", ["/fleet", "/fleet/", "/fleet/run", "/internal/auth", "/internal/not-found.html"]
)
def test_the_ways_between_the_parts_are_closed_to_an_admin(front: Front, path: str) -> None:
    answer = front.ask("GET", path, ADMIN)
    assert (answer.status, answer.json["code"]) == (404, "not_found")
    assert_secure(answer)


@pytest.mark.parametrize("path", ["/auth", "/refused"])
def test_the_consoles_answers_to_nginx_are_not_reached_from_outside(
    front: Front, path: str
) -> None:
    assert front.ask("GET", path, ADMIN).json["role"] == "master"


def test_signing_in_gives_the_consoles_cookie(front: Front) -> None:
    answer = front.ask("POST", "/console/sign-in", body="user=ann")
    assert answer.status == 303
    assert (answer.header("Set-Cookie") or "").startswith(f"{SESSION}=viewer.1;")


# --- paths that could be read in two ways


@pytest.mark.parametrize(
    "path",
    [
        "//stop",
        "/x//stop",
        "/./stop",
        "/x/../stop",
        "/console/..",
        "/.",
        "/console/../stop?x=y",
        "/%2e%2e/stop",
        "/x%2fy",
        "/x%2Fy",
        "/x%5Cy",
        "/x%00",
        "/x%0d%0aX-Fleet-User:%20root",
        "/x%7f",
        "/%2573top",
        "/x\\y",
        '/x"y',
        "/x\xff",
        "/console/%2e%2e/stop",
        "*",
        "",
        "/x%",
        "/x%zz",
    ],
)
def test_an_ambiguous_path_is_refused_before_anybody_is_asked(front: Front, path: str) -> None:
    request = f"POST {path} HTTP/1.1\r\nHost: x\r\nCookie: {ADMIN['Cookie']}\r\n\r\n"
    answer = front.raw(request.encode("latin-1"))
    assert (answer.status, answer.json["code"]) == (400, "bad_request")
    assert_secure(answer)


@pytest.mark.parametrize(
    "path",
    [
        "/%73top",
        "/stats/requests?next=//x/../%2f%00",
        "/a.b/.hidden/..x/x..?",
        "/a~b_c-d!$&'()*+,;=:@",
        "/%C3%A4",
    ],
)
def test_a_plain_path_arrives_as_it_was_judged(front: Front, path: str) -> None:
    answer = front.ask("GET", path, VIEWER)
    assert (answer.status, answer.json["path"]) == (200, path)
    question = front.ask("GET", "/console/seen", ADMIN)
    assert question.received("X-Original-URI") == [path]


def test_an_absolute_request_line_is_judged_by_its_path(front: Front) -> None:
    answer = front.raw(
        f"GET https://x/console/ HTTP/1.1\r\nHost: x\r\nCookie: {VIEWER['Cookie']}\r\n\r\n".encode()
    )
    assert (answer.json["role"], answer.json["path"]) == ("console", "/console/")


@pytest.mark.parametrize(
    "lines",
    [
        "Content-Length: 4\r\nTransfer-Encoding: chunked",
        "Content-Length: 4\r\nContent-Length: 5",
        "Transfer-Encoding: chunked, identity",
        "Host: y",
        "Content-Length: -1",
        "Content-Length: 4 4",
    ],
)
def test_a_request_that_can_be_cut_in_two_ways_is_refused(front: Front, lines: str) -> None:
    request = (
        f"POST /stop HTTP/1.1\r\nHost: x\r\nCookie: {ADMIN['Cookie']}\r\n{lines}\r\n\r\n0\r\n\r\n"
    )
    assert front.raw(request.encode()).status in (400, 501)


# --- headers, whatever the answer


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/", VIEWER, 200),
        ("HEAD", "/", VIEWER, 200),
        ("GET", "/health", {}, 200),
        ("GET", "/ready", {}, 200),
        ("GET", "/console", {}, 308),
        ("GET", "/moved", VIEWER, 308),
        ("GET", "/status/404", VIEWER, 404),
        ("GET", "/status/422", VIEWER, 422),
        ("GET", "/status/500", VIEWER, 500),
        ("GET", "/status/503", VIEWER, 503),
        ("TRACE", "/", VIEWER, 405),
        ("GET", "/" + "x" * 9000, VIEWER, 400),
        ("GET", "/", {"Cookie": "x" * 9000}, 400),
        ("GET", "/", {"Host": "a/b"}, 400),
    ],
)
def test_every_answer_has_the_security_headers(
    front: Front, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    answer = front.ask(method, path, headers)
    # An address that is too long has a status of its own.
    assert answer.status == (414 if "xxx" in path else status)
    assert_secure(answer)


def test_a_body_over_a_megabyte_is_refused_with_the_limit(front: Front) -> None:
    head = "POST /swarm HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n"
    answer = front.raw(head.encode())
    assert (answer.status, answer.json["code"]) == (413, "too_large")
    assert_secure(answer)


def test_an_error_of_the_master_arrives_as_it_is(front: Front) -> None:
    for status in (404, 409, 500, 502, 503):
        answer = front.ask("GET", f"/status/{status}", VIEWER)
        assert (answer.status, answer.json) == (status, {"mine": True})


@pytest.mark.parametrize("status", [429, 503])
def test_when_to_try_again_is_said_once_and_by_who_knows(front: Front, status: int) -> None:
    assert front.ask("GET", f"/status/{status}?later", VIEWER).header("Retry-After") == "77"
    assert front.ask("GET", f"/status/{status}", VIEWER).header("Retry-After") in ("2", "5")


def test_cors_and_what_tells_about_the_inside_is_stripped(front: Front) -> None:
    answer = front.ask("GET", "/cors", VIEWER | {"Origin": "https://evil.example"})
    names = {name.lower() for name in answer.headers}
    assert not {name for name in names if name.startswith("access-control-")}
    assert not names & {"x-powered-by", "set-cookie"}
    assert_secure(answer)


def test_a_policy_of_a_page_replaces_the_strict_one(front: Front) -> None:
    answer = front.ask("GET", "/own-policy", VIEWER)
    assert answer.header("Content-Security-Policy") == "script-src 'x'"
    assert answer.header("X-Frame-Options") == "DENY"


def test_a_redirect_of_the_master_stays_on_the_address_of_the_browser(front: Front) -> None:
    for host in ("load.example", "load.example:8443"):
        answer = front.ask("GET", "/moved", VIEWER | {"Host": host})
        assert answer.header("Location") == "/moved/?a=b"


def test_hashed_files_are_kept_and_nothing_else_is(front: Front) -> None:
    def kept(path: str) -> str | None:
        return front.ask("GET", path, VIEWER).header("Cache-Control")

    assert kept("/assets/src-Cl6CiemE.js") == "private, max-age=31536000, immutable"
    assert kept("/console/static/page.css?v=1a2b") == "public, max-age=31536000, immutable"
    assert kept("/assets/graphs-dark.png") == "private, max-age=3600"
    assert kept("/console/static/page.css") == "no-store"
    assert kept("/grafana/api/ds/query?x=/grafana/public/build/1.0123456789ab.js") == "no-store"
    assert kept("/assets/missing-Cl6CiemE.js") == "no-store"
    assert kept("/stats/requests?x=/assets/src-Cl6CiemE.js") == "no-store"
    assert kept("/api/v1/runs") == "no-store"


def test_large_text_is_compressed(front: Front) -> None:
    answer = front.ask("GET", "/assets/src-Cl6CiemE.js", VIEWER | {"Accept-Encoding": "gzip"})
    assert answer.header("Content-Encoding") == "gzip"
    assert "Accept-Encoding" in (answer.header("Vary") or "")
    assert len(answer.body) < 2000
    assert len(gzip.decompress(answer.body)) == 200_000


# --- HTTP and TLS


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_http_leads_to_the_same_address_on_https(front: Front, method: str) -> None:
    answer = front.ask(method, "/a/b?c=d", {"Host": f"Load.Example:{front.http_port}"}, tls=False)
    assert answer.status == 308
    assert answer.header("Location") == "https://load.example:8443/a/b?c=d"
    assert_secure(answer)


def test_http_on_the_port_of_https_leads_there_too(front: Front) -> None:
    request = b"GET /a?b=c HTTP/1.1\r\nHost: load.example:8443\r\n\r\n"
    with socket.create_connection((ADDRESS, front.https_port), timeout=10) as connection:
        connection.sendall(request)
        answer = connection.recv(4096).decode()
    assert answer.startswith("HTTP/1.1 308")
    assert "\r\nLocation: https://load.example:8443/a?b=c\r\n" in answer
    assert "\r\nX-Content-Type-Options: nosniff\r\n" in answer


def test_health_answers_on_http_and_https(front: Front) -> None:
    for tls in (False, True):
        answer = front.ask("GET", "/health", tls=tls)
        assert (answer.status, answer.body) == (200, b"ok\n")


def test_ready_is_the_consoles_answer_and_needs_no_sign_in(front: Front) -> None:
    assert front.ask("GET", "/ready").json == {"ready": True}


def handshake(front: Front, context: ssl.SSLContext) -> ssl.SSLSocket:
    plain = socket.create_connection((ADDRESS, front.https_port), timeout=10)
    return context.wrap_socket(plain)


def old(version: ssl.TLSVersion) -> ssl.SSLContext:
    context = untrusting()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    # Without this our own library would be the one that refuses.
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_tls_is_refused_by_the_server(front: Front, version: ssl.TLSVersion) -> None:
    with pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"):
        handshake(front, old(version))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_current_tls_is_accepted(front: Front, version: ssl.TLSVersion) -> None:
    with handshake(front, old(version)) as connection:
        assert (connection.version() or "").replace(".", "_") == version.name


@pytest.mark.parametrize("cipher", ["AES128-SHA", "ECDHE-ECDSA-AES128-SHA256", "AES256-GCM-SHA384"])
def test_ciphers_without_forward_secrecy_or_authentication_are_refused(
    front: Front, cipher: str
) -> None:
    context = old(ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(f"{cipher}:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
        handshake(front, context)


def test_http_2_is_spoken(front: Front) -> None:
    context = untrusting()
    context.set_alpn_protocols(["h2", "http/1.1"])
    # HPACK by hand: GET, https, path and authority as literals.
    block = b"\x82\x87\x04\x07/health\x01\x09localhost"
    headers = len(block).to_bytes(3, "big") + b"\x01\x05" + (1).to_bytes(4, "big") + block
    with handshake(front, context) as connection:
        assert connection.selected_alpn_protocol() == "h2"
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0" + headers)
        stream = connection.makefile("rb")
        while True:
            head = stream.read(9)
            frame = stream.read(int.from_bytes(head[:3], "big"))
            if head[3] == 1:
                break
    # 0x88 is ":status: 200"; a change of the table's size may stand before it.
    assert 0x88 in frame[:4]


# --- WebSocket


def socket_request(upgrade: str) -> bytes:
    return (
        f"GET /socket HTTP/1.1\r\nHost: x\r\nCookie: {VIEWER['Cookie']}\r\n"
        f"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {upgrade}\r\n\r\n"
    ).encode()


def test_a_websocket_is_passed_through(front: Front) -> None:
    with handshake(front, untrusting()) as connection:
        connection.sendall(socket_request("websocket"))
        stream = connection.makefile("rb")
        assert stream.readline() == b"HTTP/1.1 101 Switching Protocols\r\n"
        while stream.readline() != b"\r\n":
            pass
        connection.sendall(b"ping")
        assert stream.read(4) == b"gnip"


def test_a_websocket_needs_a_session_as_everything_else(front: Front) -> None:
    request = socket_request("websocket").replace(b"viewer", b"nobody")
    assert front.raw(request).status == 401


def test_no_other_protocol_is_upgraded_to(front: Front) -> None:
    answer = front.raw(socket_request("h2c"))
    assert answer.status == 200
    assert answer.received("Upgrade") == []
    assert answer.received("Connection") == ["close"]


# --- what is written down


def entry_of(front: Front, answer: Answer) -> Any:
    """Return the log line of an answer, as soon as it is there."""
    identifier = answer.header("X-Request-ID")

    def entries() -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in front.logs().splitlines() if line[:1] == "{"]
        return [line for line in lines if line["id"] == identifier]

    wait_until(lambda: bool(entries()), "a line in the log", 10)
    (entry,) = entries()
    return entry


def test_each_request_is_logged_with_who_what_and_how_long(front: Front) -> None:
    answer = front.ask("GET", "/console/runs?token=secret", VIEWER | {"User-Agent": 'a"b\\'})
    entry = entry_of(front, answer)
    assert entry["user"] == "ann"
    assert entry["role"] == "viewer"
    assert (entry["method"], entry["path"], entry["status"]) == ("GET", "/console/runs", 200)
    assert entry["agent"] == 'a"b\\'
    assert 0 <= entry["seconds"] < 10
    assert entry["upstream"].endswith(":8000")


@pytest.mark.parametrize(
    ("path", "status"), [("/stop", 401), ("/fleet/run", 404), ("/x//y", 400), ("/stop?a=b", 401)]
)
def test_what_was_refused_is_logged_as_it_was_asked(front: Front, path: str, status: int) -> None:
    entry = entry_of(front, front.ask("POST", path, body="a=b"))
    assert (entry["method"], entry["path"]) == ("POST", path.partition("?")[0])
    assert entry["status"] == status


def test_nothing_secret_and_no_health_check_is_logged(front: Front) -> None:
    front.ask("POST", "/console/sign-in?next=/versteckt", VIEWER | TOKEN, "password=geheim")
    front.ask("GET", "/health")
    logs = front.logs()
    for secret in ("versteckt", "operator.abc", VIEWER["Cookie"], "geheim", "0123456789abcdef"):
        assert secret not in logs
    assert "/health" not in logs


def test_nginx_runs_without_root_and_without_warnings(front: Front) -> None:
    who = docker("exec", front.containers["nginx"], "cat", "/proc/1/status")
    assert re.search(r"^Uid:\s+101\s", who, re.MULTILINE)
    assert re.search(r"^CapEff:\s+0+$", who, re.MULTILINE)
    assert not re.search(r"\[(warn|emerg|alert|crit)\](?!.*(limiting|client sent))", front.logs())
