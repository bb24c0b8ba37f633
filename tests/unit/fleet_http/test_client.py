"""A scenario gets responses, failures and reports as from HttpUser."""

from locust.exception import LocustError

import time
from pathlib import Path
from typing import Any

import gevent
import pytest
import requests.exceptions
from tests.unit.fleet_http.conftest import OK, NewUser, Script, Wire

from fleet_http.connection.pool import MAX_ROUTES
from fleet_http.errors import (
    BadRedirect,
    BadResponse,
    ConnectionLost,
    RedirectLoop,
    ResponseTimeout,
    ResponseTooLarge,
)
from fleet_http.hooks import HOOKS
from locust_fleet.users import FleetHttpUser

JSON = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 8\r\n\r\n{"a": 1}'


def status(code: int, *lines: str, body: bytes = b"") -> bytes:
    head = "\r\n".join([f"HTTP/1.1 {code} Words", *lines, f"Content-Length: {len(body)}"])
    return f"{head}\r\n\r\n".encode() + body


def reported(user: FleetHttpUser) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    user.environment.events.request.add_listener(lambda **event: events.append(event))
    return events


def test_a_response_has_status_headers_and_body(user: FleetHttpUser, wire: Wire) -> None:
    wire.answers(JSON)

    response = user.client.get("/a")

    assert (response.status_code, response.ok, response.json()) == (200, True, {"a": 1})
    assert response.headers["content-TYPE"] == "application/json"
    assert (response.text, response.url, response.reason) == ('{"a": 1}', f"{wire.url}/a", "OK")


def test_requests_of_one_user_share_a_connection(user: FleetHttpUser, wire: Wire) -> None:
    for _ in range(3):
        user.client.get("/")

    assert (len(wire.heads), wire.connections) == (3, 1)


def test_a_request_is_reported_once_with_what_locust_wants(user: FleetHttpUser, wire: Wire) -> None:
    events = reported(user)

    response = user.client.get("/a?b=1", context={"who": "me"})

    [event] = events
    assert event.pop("response_time") > 0
    assert event.pop("start_time") == pytest.approx(time.time(), abs=5)
    assert event == {
        "request_type": "GET",
        "name": "/a?b=1",
        "url": f"{wire.url}/a?b=1",
        "response_length": 2,
        "response": response,
        "context": {"who": "me"},
        "exception": None,
    }


def test_a_name_stands_for_many_urls(user: FleetHttpUser) -> None:
    events = reported(user)

    user.client.get("/1", name="/<id>")
    with user.client.rename_request("/<n>"):
        user.client.get("/2")

    assert [event["name"] for event in events] == ["/<id>", "/<n>"]


def test_a_status_from_400_on_is_a_failure_in_the_words_of_http_user(
    user: FleetHttpUser, wire: Wire
) -> None:
    wire.answers(status(404))
    events = reported(user)

    response = user.client.get("/a")

    assert repr(events[0]["exception"]) == "HTTPError('404 Client Error: Words for url: /a')"
    assert not response
    with pytest.raises(requests.exceptions.HTTPError):
        response.raise_for_status()


def test_a_with_block_decides_what_is_a_failure(user: FleetHttpUser, wire: Wire) -> None:
    wire.answers(OK, status(404))
    events = reported(user)

    with user.client.get("/", catch_response=True) as response:
        response.failure("not what I want")
    with user.client.get("/", catch_response=True) as response:
        response.success()

    assert [repr(event["exception"]) for event in events] == [
        "CatchResponseError('not what I want')",
        "None",
    ]


def test_who_does_not_ask_to_decide_cannot(user: FleetHttpUser) -> None:
    with pytest.raises(LocustError, match="catch_response=True"):
        user.client.get("/").failure("too late")


def test_rest_parses_json_and_catches_what_goes_wrong(user: FleetHttpUser, wire: Wire) -> None:
    wire.answers(JSON, OK)
    events = reported(user)

    with user.rest("GET", "/") as response:
        assert response.js == {"a": 1}
    with user.rest("GET", "/"):
        pass

    assert events[0]["exception"] is None
    assert "Could not parse response as JSON" in str(events[1]["exception"])


def test_what_a_scenario_sends_arrives(user: FleetHttpUser, wire: Wire) -> None:
    user.client.post("/a", json={"b": [1]}, headers={"X-Mine": "1"}, params={"q": "a b"})

    assert wire.line() == "POST /a?q=a+b HTTP/1.1"
    assert wire.headers()["content-type"] == "application/json"
    assert (wire.headers()["x-mine"], wire.bodies[-1]) == ("1", b'{"b": [1]}')


def test_a_form_is_sent_as_one(user: FleetHttpUser, wire: Wire) -> None:
    user.client.post("/", {"a": "1 2", "b": ["x", "y"]})

    assert wire.headers()["content-type"] == "application/x-www-form-urlencoded"
    assert wire.bodies[-1] == b"a=1+2&b=x&b=y"


def test_headers_of_the_client_go_with_each_request_until_changed(
    user: FleetHttpUser, wire: Wire
) -> None:
    user.client.headers["X-Token"] = "a"
    user.client.get("/")
    user.client.get("/", headers={"x-token": None, "ACCEPT": "text/html"})

    assert wire.headers(0)["x-token"] == "a"
    assert "x-token" not in wire.headers(1)
    assert wire.headers(1)["accept"] == "text/html"


def test_cookies_come_back_where_they_belong(user: FleetHttpUser, wire: Wire) -> None:
    wire.answers(
        status(200, "Set-Cookie: s=1; Path=/in", "Set-Cookie: t=2; Path=/; Secure"), OK, OK
    )

    response = user.client.get("/in/x")
    user.client.get("/in/y")
    user.client.get("/out")

    assert response.cookies["s"] == "1"
    assert wire.headers(1)["cookie"] == "s=1"
    assert "cookie" not in wire.headers(2)


def test_a_cookie_that_is_set_anew_is_sent_anew(user: FleetHttpUser, wire: Wire) -> None:
    same = status(200, "Set-Cookie: s=1")
    wire.answers(
        same, same, status(200, "Set-Cookie: s=2"), status(200, "Set-Cookie: s=; Max-Age=0"), OK
    )

    for _ in range(5):
        user.client.get("/")

    sent = [wire.headers(number).get("cookie") for number in range(5)]
    assert sent == [None, "s=1", "s=1", "s=2", None]


def test_a_cookie_that_expired_is_not_sent(user: FleetHttpUser, wire: Wire) -> None:
    wire.answers(status(200, "Set-Cookie: s=1; Max-Age=1"), OK)

    user.client.get("/")
    user.client.get("/")
    gevent.sleep(1.1)
    user.client.get("/")

    assert ["cookie" in wire.headers(number) for number in range(3)] == [False, True, False]


def test_a_user_and_password_are_sent_as_basic_auth(user: FleetHttpUser, wire: Wire) -> None:
    user.client.get("/", auth=("me", "secret"))

    assert wire.headers()["authorization"] == "Basic bWU6c2VjcmV0"


@pytest.mark.parametrize(
    ("code", "method"), [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")]
)
def test_redirects_are_followed_as_requests_does(
    user: FleetHttpUser, wire: Wire, code: int, method: str
) -> None:
    wire.answers(status(code, "Location: /next"), OK)

    response = user.client.post("/", data=b"body", headers={"Content-Type": "text/plain"})

    assert wire.line() == f"{method} /next HTTP/1.1"
    assert wire.bodies[-1] == (b"body" if method == "POST" else b"")
    assert ("content-type" in wire.headers()) == (method == "POST")
    assert [hop.status_code for hop in response.history] == [code]
    assert response.url == f"{wire.url}/next"


def test_another_host_does_not_get_the_authorization(user: FleetHttpUser, wire: Wire) -> None:
    other = wire.url.replace("127.0.0.81", "localhost.localdomain")
    wire.answers(status(302, f"Location: {other}/"), OK)

    response = user.client.get("/", auth=("me", "secret"), timeout=2)

    assert "authorization" in wire.headers(0)
    assert response.history or response.error
    assert all("authorization" not in wire.headers(n) for n in range(1, len(wire.heads)))


@pytest.mark.parametrize("of_client", [True, False])
def test_what_was_said_of_the_first_request_does_not_follow_a_redirect(
    user: FleetHttpUser, wire: Wire, of_client: bool
) -> None:
    wire.answers(status(302, f"Location: {wire.url}/there"), OK)
    headers: Any = {
        "Cookie" if of_client else b"Cookie": "session=secret",
        "Proxy-Authorization": "Basic secret",
        "Content-Type": "text/plain",
    }
    given = {} if of_client else {"headers": headers}
    if of_client:
        user.client.headers.update(headers)

    user.client.post("/here", data="text", **given)

    first, second = wire.headers(0), wire.headers(1)
    own = {"cookie", "proxy-authorization", "content-type"}
    assert (own & set(first), own & set(second)) == (own, set())


@pytest.mark.parametrize(
    "options",
    [
        # As read from a file, with the end of its line.
        {"headers": {"Authorization": "Bearer s3cret\n"}},
        {"headers": {"Authorization": "Bearer s3cret \u20ac"}},
        {"headers": {"Authorization": ["s3cret"]}},
        {"cookies": {"session": "s3cret\n"}},
        {"proxies": {"http": "http://me:s3cret#@proxy:3128"}},
    ],
)
def test_what_cannot_be_sent_is_a_failure_that_tells_no_secret(
    user: FleetHttpUser, wire: Wire, options: dict[str, Any]
) -> None:
    response = user.client.get("/", **options)

    assert isinstance(response.error, requests.exceptions.InvalidHeader)
    assert "s3cret" not in str(response.error)
    assert not wire.heads


def test_redirects_without_end_are_a_failure(new_user: NewUser, wire: Wire) -> None:
    wire.answers(status(302, "Location: /"))
    user = new_user(max_redirects=5)

    response = user.client.get("/")

    assert isinstance(response.error, RedirectLoop)
    assert len(wire.heads) == 6


def test_head_has_no_body_and_does_not_follow(user: FleetHttpUser, wire: Wire) -> None:
    wire.answers(b"HTTP/1.1 302 Found\r\nLocation: /a\r\nContent-Length: 5\r\n\r\n", OK)

    response = user.client.head("/")
    user.client.get("/")

    assert (response.status_code, response.content, wire.connections) == (302, b"", 1)


def test_interim_responses_are_skipped(user: FleetHttpUser, wire: Wire) -> None:
    wire.answers([b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 ", 0.01, b"100 C\r\n\r\n" + OK])

    assert user.client.get("/").text == "ok"


def test_a_response_without_a_length_ends_with_its_connection(
    user: FleetHttpUser, wire: Wire
) -> None:
    wire.answers([b"HTTP/1.1 200 OK\r\n\r\nhalf", 0.01, b" and half", None])

    assert user.client.get("/").text == "half and half"


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ([None], ConnectionLost),
        ([b"HTTP/1.1 200", None], ConnectionLost),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", None], ConnectionLost),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", None], ConnectionLost),
        ([b"SSH-2.0-OpenSSH\r\n\r\n"], BadResponse),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"], BadResponse),
        ([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"], BadResponse),
        ([b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 70_000], ResponseTooLarge),
        ([b"HTTP/1.1 200 OK\r\n", 1.5], ResponseTimeout),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", *[b".", 0.2] * 20], ResponseTimeout),
        (
            [b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + b"." * 2_000_000],
            ResponseTooLarge,
        ),
    ],
    ids=str,
)
def test_a_bad_response_is_a_failure_in_time_and_the_user_goes_on(
    new_user: NewUser, wire: Wire, script: Any, kind: type[Exception]
) -> None:
    wire.answers(script, OK)
    user = new_user(network_timeout=1.0, largest_answer=1_000_000)
    events = reported(user)

    started = time.perf_counter()
    response = user.client.get("/")
    took_s = time.perf_counter() - started

    assert isinstance(response.error, kind)
    assert events[0]["exception"] is response.error
    assert took_s < 1.4
    assert user.client.get("/").text == "ok"


def test_a_refused_connection_is_a_failure_in_the_words_of_the_system(
    user: FleetHttpUser, wire: Wire
) -> None:
    wire.stop()

    assert isinstance(user.client.get("/").error, ConnectionRefusedError)


@pytest.mark.parametrize("method", ["get", "post"])
def test_what_is_idempotent_is_sent_again_if_the_server_closed_meanwhile(
    user: FleetHttpUser, wire: Wire, method: str
) -> None:
    # The connection is open when the second request is sent, and then closed without a word.
    wire.answers(OK, [None], OK)
    before = HOOKS.counters.retries

    user.client.get("/")
    response = getattr(user.client, method)("/")

    retries = HOOKS.counters.retries - before
    assert (response.ok, retries) == ((True, 1) if method == "get" else (False, 0))


def test_a_connection_that_the_server_closed_is_not_used_again(
    user: FleetHttpUser, wire: Wire
) -> None:
    wire.answers([OK, None], OK)

    user.client.get("/")
    gevent.sleep(0.05)
    response = user.client.post("/")

    assert (response.ok, wire.connections) == (True, 2)


def test_what_comes_beyond_a_response_is_nobodys(user: FleetHttpUser, wire: Wire) -> None:
    stray = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray"
    wire.answers(OK + stray, [OK, 0.05, stray], OK)

    texts = [user.client.get("/").text]
    texts.append(user.client.get("/").text)
    gevent.sleep(0.1)
    texts.append(user.client.get("/").text)

    assert (texts, wire.connections) == (["ok", "ok", "ok"], 3)


def test_a_stream_is_read_as_it_comes(user: FleetHttpUser, wire: Wire) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    wire.answers([head + b"3\r\none\r\n", 0.05, b"3\r\ntwo\r\n0\r\n\r\n"], OK)

    parts = list(user.client.get("/", stream=True).iter_content(100))
    user.client.get("/")

    assert (parts, wire.connections) == ([b"one", b"two"], 1)


def test_lines_are_read_across_parts(user: FleetHttpUser, wire: Wire) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n"
    wire.answers([head + b"one\ntw", 0.05, b"o\nend"])

    assert list(user.client.get("/", stream=True).iter_lines()) == [b"one", b"two", b"end"]


def test_a_url_that_cannot_be_read_is_told_to_the_scenario(user: FleetHttpUser) -> None:
    with pytest.raises(requests.exceptions.InvalidURL):
        user.client.get("http://[::1")


def test_connections_are_closed_when_the_user_ends(user: FleetHttpUser, wire: Wire) -> None:
    from gevent.pool import Group

    connections = user.client._sender._pool
    user.tasks = [lambda it: it.client.get("/") and it.stop()]
    group = Group()
    user.start(group)
    group.join(5)

    assert wire.heads
    assert not connections._idle


def test_a_greenlet_that_still_reads_when_the_user_ends_is_told(
    user: FleetHttpUser, wire: Wire
) -> None:
    wire.answers([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbegin", 60.0])
    response = user.client.get("/", stream=True)

    def read() -> None:
        with pytest.raises(ConnectionError):
            list(response.iter_content(9))

    reader = gevent.spawn(read)
    gevent.sleep(0.1)
    user.client.close()
    reader.join(timeout=1)

    assert reader.successful()


def test_requests_in_flight_are_counted(user: FleetHttpUser, wire: Wire) -> None:
    wire.answers([0.2, OK])

    greenlet = gevent.spawn(user.client.get, "/")
    gevent.sleep(0.05)
    during = HOOKS.counters.in_flight
    greenlet.join()

    assert (during, HOOKS.counters.in_flight) == (1, 0)


def test_what_is_set_on_the_client_holds(user: FleetHttpUser, wire: Wire) -> None:
    user.client.headers = {"X-Only": "1"}
    user.client.cookies = {"a": "1"}
    user.client.base_url = f"{wire.url}/base"
    user.client.get("/x")

    assert wire.line() == "GET /base/x HTTP/1.1"
    assert set(wire.headers()) == {"host", "x-only", "cookie"}


def test_what_the_client_does_not_have_cannot_be_set(user: FleetHttpUser) -> None:
    with pytest.raises(AttributeError):
        user.client.params = {"a": "1"}  # type: ignore[attr-defined]


@pytest.mark.parametrize("place", ["file:///etc/passwd", "http://[::1", "http://a:99999/", "x:y"])
def test_a_redirect_to_nowhere_is_a_failed_request(
    user: FleetHttpUser, wire: Wire, place: str
) -> None:
    wire.answers(status(302, f"Location: {place}"))

    response = user.client.get("/")

    assert isinstance(response.error, BadRedirect)
    assert len(wire.heads) == 1


def test_a_stream_that_nobody_can_read_any_more_is_closed(user: FleetHttpUser, wire: Wire) -> None:
    wire.answers([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"])
    transports = []

    for _ in range(3):
        response = user.client.get("/", stream=True)
        assert response.stream
        transports.append(response.stream._connection.transport)  # type: ignore[union-attr]
    first = [transport.open for transport in transports]
    user.client.close()

    assert first == [False, False, True]
    assert not transports[-1].open


def test_a_stream_that_is_read_at_once_ends_in_time(new_user: NewUser, wire: Wire) -> None:
    dripping: Script = [b".", 0.1]
    wire.answers([b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", *dripping * 20])
    user = new_user(network_timeout=0.5)

    response = user.client.get("/", stream=True)
    started = time.perf_counter()
    with pytest.raises(ResponseTimeout):
        _ = response.content

    assert time.perf_counter() - started < 1


def test_a_user_that_is_told_to_stop_begins_no_request_that_nobody_counts(
    user: FleetHttpUser, wire: Wire
) -> None:
    user.client.get("/")
    user.client.ending = True

    def wake_up() -> None:
        # What Locust does to a user that waits, a moment before it wakes up.
        asking.kill(block=False)
        user.client.get("/")

    asking = gevent.spawn(wake_up)
    asking.join()

    gevent.sleep(0.05)
    assert len(wire.heads) == 1


def test_a_cookie_that_the_scenario_changes_is_sent_changed(
    user: FleetHttpUser, wire: Wire
) -> None:
    user.client.cookies.set("s", "1")
    user.client.get("/")
    cookie = next(iter(user.client.cookies))
    cookie.value = "2"
    user.client.cookies.set_cookie(cookie)
    user.client.get("/")

    assert [wire.headers(number)["cookie"] for number in range(2)] == ["s=1", "s=2"]


def test_an_empty_location_leads_nowhere(user: FleetHttpUser, wire: Wire) -> None:
    wire.answers(status(302, "Location: ", body=b"here"))

    response = user.client.get("/")

    assert (response.status_code, response.text, len(wire.heads)) == (302, "here", 1)


def descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_a_user_that_goes_from_host_to_host_keeps_few_connections(
    user: FleetHttpUser, wire: Wire
) -> None:
    before = descriptors()

    for number in range(2 * MAX_ROUTES):
        # Another place each time, and always the same server.
        user.client.get(f"http://shop-{number}.example/", proxies={"http": wire.url})

    # Both ends are in this process.
    gevent.sleep(0.05)
    assert descriptors() - before <= 2 * MAX_ROUTES + 4


def test_a_header_that_is_no_text_is_a_failed_request_that_names_it(user: FleetHttpUser) -> None:
    response = user.client.get("/", headers={"X-Many": ["a"]})

    assert "X-Many" in str(response.error)


def test_a_host_that_is_no_url_is_told_by_each_request(new_user: NewUser, wire: Wire) -> None:
    user = new_user(host="shop:8000")

    with pytest.raises(requests.exceptions.InvalidSchema, match="shop:8000/a"):
        user.client.get("/a")
    assert user.client.get(f"{wire.url}/").ok
