from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locust_fleet.console.access.roles import (
    RULES,
    Question,
    Role,
    comes_from_here,
    decide,
    plain_path,
)

HOST = "load.example"
HERE = f"https://{HOST}"
READS_OF_A_VIEWER = [
    "/",
    "/?tab=charts",
    "/assets/index-4f2a.js",
    "/assets/fonts/a_b~c.woff2",
    "/favicon.ico",
    "/stats/requests",
    "/stats/requests?x=1",
    "/stats/requests/csv",
    "/stats/requests_full_history/csv",
    "/stats/failures/csv",
    "/stats/report",
    "/stats/report?download=1",
    "/exceptions",
    "/exceptions/csv",
    "/tasks",
    "/logs",
    "/worker-count",
    "/console",
    "/console/",
    "/console/runs",
    "/console/runs/20260102-030405-abcd",
    "/console/reports/20260102-030405-abcd/report.html",
    "/console/account",
    "/api/v1/run",
    "/api/v1/runs",
    "/api/v1/runs?limit=3",
    "/api/v1/runs/20260102-030405-abcd",
    "/api/v1/workers",
    "/grafana",
    "/grafana/",
    "/grafana/d/run/run?var-run=x",
    "/grafana/api/live/ws",
]
# What Grafana lets a viewer do is its own decision; a query is a POST.
WRITES_OF_A_VIEWER = ["/console/sign-out", "/console/account", "/grafana/api/ds/query"]
WRITES_OF_AN_OPERATOR = [
    "/swarm",
    "/stop",
    "/stop?x",
    "/stats/reset",
    "/user",
    "/api/v1/runs",
    "/api/v1/runs/20260102-030405-abcd/stop",
    "/%73top",
    "/%73%74%6F%70",
    "/s%74op?to=/",
]
ONLY_ADMIN = [
    ("GET", "/console/admin"),
    ("GET", "/console/admin/audit"),
    ("GET", "/api/v1/audit"),
    ("POST", "/console/admin/accounts"),
    ("POST", "/console/admin/tokens"),
    ("GET", "/prometheus"),
    ("GET", "/prometheus/graph"),
    ("POST", "/prometheus/api/v1/query"),
    ("GET", "/alertmanager/"),
    ("POST", "/alertmanager/api/v2/silences"),
    ("DELETE", "/alertmanager/api/v2/silence/0ddf0b7c-2f8b"),
]
OF_NOBODY = [
    ("GET", "/stop"),
    ("GET", "/swarm"),
    ("GET", "/stats/reset"),
    ("GET", "/user"),
    ("GET", "/console/sign-out"),
    ("POST", "/"),
    ("POST", "/stats/requests"),
    ("POST", "/console/runs"),
    ("POST", "/api/v1/run"),
    ("GET", "/auth"),
    ("GET", "/refused"),
    ("GET", "/fleet/run"),
    ("GET", "/login"),
    ("GET", "/static/x.js"),
    ("GET", "/metrics"),
    ("POST", "/alerts"),
    ("POST", "/prometheus/-/quit"),
    ("POST", "/alertmanager/api/v2/alerts"),
    ("GET", "/console/runs/a/b"),
    ("GET", "/console/reports/a"),
    ("GET", "/console/reports/a/b/c"),
    ("POST", "/api/v1/runs/a/b/stop"),
    ("DELETE", "/api/v1/runs/20260102-030405-abcd"),
    ("PUT", "/stop"),
    ("PATCH", "/stop"),
    ("OPTIONS", "/swarm"),
    ("TRACE", "/"),
    ("CONNECT", "/"),
    ("get", "/"),
    ("", "/"),
]
ODD_URIS = [
    "/stop/",
    "//stop",
    "/./stop",
    "/console/../stop",
    "/console/%2e%2e/stop",
    "/console/%2E%2E%2Fstop",
    "/console%2f..%2fstop",
    "/%2fstop",
    "/.%2e/stop",
    "/%2573top",
    "/%2573%2574op",
    "/stop%00",
    "/st%00op",
    "/stop%0a",
    "/stop\n",
    "/stop\x00",
    "/stop%20",
    "/stop ",
    "/stop%3Fx",
    "/stop#x",
    "/stop%23",
    "/stop;x=1",
    "/stop%3b",
    "\\stop",
    "/\\stop",
    "/console\\..\\stop",
    "/%5cstop",
    "/STOP",
    "/Stop",
    "/st\u00f6p",
    "/\u0455top",
    "/%D1%95top",
    "/%ff",
    "/\uff0fstop",
    "/stop\u200b",
    "/%",
    "/%7",
    "/%zzstop",
    "/stop%",
    "stop",
    "",
    "?",
    "?/stop",
    "*",
    "http://load.example/stop",
    "https://other.example/",
    "//load.example/stop",
    "/stop/../stop",
    "/stop/.",
    "/stop/..",
    "/..",
    "/.",
    "/assets/../stop",
    "/assets/..%2fstop",
    "/console/static/../../stop",
    "/console/static/%2e%2e/%2e%2e/stop",
    "/console/static//../stop",
    "/" + "a" * 5000,
    "/assets/" + "a/" * 3000,
    "/%73" * 5000,
]


def ask(method: str, uri: str, role: Role | None, origin: str | None = HERE) -> int:
    return decide(Question(method, uri, HOST, origin, None, role)).status


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("uri", READS_OF_A_VIEWER)
def test_everybody_signed_in_may_read(method: str, uri: str, role: Role) -> None:
    assert ask(method, uri, role) == 204


@pytest.mark.parametrize("uri", READS_OF_A_VIEWER)
def test_a_stranger_must_sign_in_to_read(uri: str) -> None:
    assert ask("GET", uri, None) == 401


@pytest.mark.parametrize("uri", WRITES_OF_A_VIEWER)
def test_a_viewer_may_change_the_own_account(uri: str) -> None:
    assert ask("POST", uri, Role.VIEWER) == 204


@pytest.mark.parametrize("uri", WRITES_OF_AN_OPERATOR)
def test_only_an_operator_or_admin_drives_the_test(uri: str) -> None:
    answers = [ask("POST", uri, role) for role in (None, *Role)]

    assert answers == [401, 403, 204, 204]


@pytest.mark.parametrize(("method", "uri"), ONLY_ADMIN)
def test_only_an_admin_manages(method: str, uri: str) -> None:
    answers = [ask(method, uri, role) for role in (None, *Role)]

    assert answers == [401, 403, 403, 204]


@pytest.mark.parametrize(("method", "uri"), OF_NOBODY)
def test_what_is_not_listed_is_refused_even_to_an_admin(method: str, uri: str) -> None:
    assert [ask(method, uri, role) for role in (None, Role.ADMIN)] == [401, 403]


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
@pytest.mark.parametrize("uri", ODD_URIS)
def test_a_path_written_in_an_odd_way_is_refused(method: str, uri: str) -> None:
    assert [ask(method, uri, role) for role in (None, Role.ADMIN)] == [401, 403]


@pytest.mark.parametrize(
    ("method", "uri"),
    [
        ("GET", "/console/sign-in"),
        ("GET", "/console/sign-in?next=/console/runs"),
        ("HEAD", "/console/sign-in"),
        ("GET", "/console/static/console.css?v=1"),
        ("POST", "/console/sign-in"),
    ],
)
def test_a_stranger_reaches_the_sign_in_page(method: str, uri: str) -> None:
    assert ask(method, uri, None) == 204


@given(
    st.one_of(
        st.text(max_size=40),
        st.lists(
            st.sampled_from(["/", "//", ".", "..", "%2f", "%2e", "%00", "%25", "\\", "?", "stop"]),
            max_size=8,
        ).map("".join),
    ).map(lambda tail: f"/{tail}")
)
def test_only_the_very_path_of_a_verb_lets_an_operator_write(uri: str) -> None:
    allowed = ask("POST", uri, Role.OPERATOR) == 204

    path = unquote(uri.partition("?")[0])
    runs = path.startswith("/api/v1/runs/") and path.endswith("/stop")
    assert not allowed or runs or ("POST", path) in {(method, path) for _, method, path in RULES}


def test_the_table_lets_strangers_nowhere_else() -> None:
    open_paths = {path for role, _, path in RULES if role is None}

    assert open_paths == {"/console/sign-in", "/console/static/*"}


@pytest.mark.parametrize(
    ("origin", "host", "here"),
    [
        ("https://load.example", "load.example", True),
        ("http://load.example", "load.example", True),
        ("https://LOAD.example", "load.Example", True),
        ("https://load.example:8443", "load.example:8443", True),
        ("https://load.example", "load.example:443", True),
        ("https://load.example:443", "load.example", True),
        ("http://127.0.0.1:8080", "127.0.0.1:8080", True),
        ("https://[::1]:8443", "[::1]:8443", True),
        ("https://load.example:8443", "load.example", False),
        ("https://load.example", "load.example:8443", False),
        ("https://evil.example", "load.example", False),
        ("https://load.example.evil.example", "load.example", False),
        ("https://evil-load.example", "load.example", False),
        ("https://load.example@evil.example", "load.example", False),
        ("https://load.example/", "load.example", False),
        ("null", "load.example", False),
        ("null", "null", False),
        ("", "load.example", False),
        ("", "", False),
        ("https://", "", False),
        ("load.example", "load.example", False),
        ("ftp://load.example", "load.example", False),
        ("https://load.example https://evil.example", "load.example", False),
    ],
)
def test_a_write_needs_our_own_origin(origin: str, host: str, here: bool) -> None:
    question = Question("POST", "/stop", host, origin, "cross-site", Role.OPERATOR, has_cookie=True)

    assert comes_from_here(question) is here


@pytest.mark.parametrize(
    ("fetch_site", "by_token", "here"),
    [
        ("same-origin", False, True),
        ("none", False, True),
        ("same-site", False, False),
        ("cross-site", False, False),
        ("", False, False),
        (None, False, False),
        ("cross-site", True, False),
        (None, True, True),
    ],
)
def test_without_origin_the_browser_must_say_that_it_is_our_page(
    fetch_site: str | None, by_token: bool, here: bool
) -> None:
    question = Question(
        "POST", "/stop", HOST, None, fetch_site, Role.OPERATOR, has_cookie=True, by_token=by_token
    )

    assert comes_from_here(question) is here


@pytest.mark.parametrize("origin", [None, "null", "https://ci.example"])
@pytest.mark.parametrize("fetch_site", [None, "cross-site"])
def test_a_token_without_a_cookie_writes_from_anywhere(
    origin: str | None, fetch_site: str | None
) -> None:
    question = Question("POST", "/stop", HOST, origin, fetch_site, Role.OPERATOR, by_token=True)

    assert decide(question).allow


def test_a_token_beside_a_cookie_does_not_make_a_foreign_origin_ours() -> None:
    question = Question(
        "POST", "/stop", HOST, "https://evil.example", None, Role.ADMIN, True, by_token=True
    )

    assert decide(question).status == 403


@pytest.mark.parametrize(
    ("uri", "role", "status"),
    [
        ("/console/sign-in", None, 403),
        ("/console/account", Role.VIEWER, 403),
        ("/swarm", Role.OPERATOR, 403),
        ("/console/admin/accounts", Role.ADMIN, 403),
        ("/swarm", None, 401),
    ],
)
def test_a_cross_site_write_is_refused(uri: str, role: Role | None, status: int) -> None:
    assert ask("POST", uri, role, origin="https://evil.example") == status


def test_a_cross_site_read_is_allowed_because_links_are() -> None:
    assert ask("GET", "/console/runs/x", Role.VIEWER, origin="https://chat.example") == 204


@pytest.mark.parametrize("uri", ["/stop", "/console/nothing", "/%zz\r\nX: y", "/\u00e4"])
@pytest.mark.parametrize("role", [None, *Role])
def test_a_refusal_is_one_line_of_ascii(uri: str, role: Role | None) -> None:
    sentence = decide(Question("POST", uri, HOST, role=role)).sentence

    assert sentence.isascii()
    assert sentence.isprintable()


@pytest.mark.parametrize(
    "path", ["/", "/a", "/a/", "/a.b/c-d_e~f", "/a/..b", "/a/b..", "/...", "/.a"]
)
def test_a_plain_path_stays_as_it_is(path: str) -> None:
    assert plain_path(path) == path


def test_a_longer_path_than_any_of_ours_is_not_plain() -> None:
    assert plain_path("/" + "a" * 2000) is None
