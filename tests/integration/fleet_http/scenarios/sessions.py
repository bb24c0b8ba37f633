"""What a scenario does to its client between requests."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from tests.integration.fleet_http.table import COUNTED_BY_FIRST, Stage, scenario

NO_HEADERS = "its session has no headers"
IDENTITY = "is not there; http.client writes identity"


@scenario(fast="is closed for good")
def client_closed_and_used_again(stage: Stage) -> Any:
    client = stage.client
    client.get("/one")
    client.close()
    return client.get("/two").status_code


@scenario(fast=NO_HEADERS)
def header_of_the_session_is_set(stage: Stage) -> Any:
    client = stage.client
    client.headers["Authorization"] = "Bearer token"
    first = client.get("/one").status_code
    client.headers["authorization"] = "Bearer other"
    second = client.get("/two").status_code
    del client.headers["AUTHORIZATION"]
    return [first, second, client.get("/three").status_code, client.headers.get("accept")]


@scenario(fast=NO_HEADERS, fleet={"seen.0.headers.accept-encoding": IDENTITY})
def headers_of_the_session_are_replaced(stage: Stage) -> Any:
    stage.client.headers = {"X-Only": "1", "Accept": "a/b"}
    return stage.client.get("/").status_code


@scenario()
def host_of_the_session_is_changed(stage: Stage) -> Any:
    client = stage.client
    client.get("/one")
    client.base_url = stage.places["other"]
    return client.get("/one").status_code


@scenario()
def redirects_of_the_session_are_limited(stage: Stage) -> Any:
    client = stage.user(max_redirects=3).client
    client.max_redirects = 3
    return client.get("/redirect/302?to=/redirect/302%3Fto%3D/there").status_code


@scenario(fleet=COUNTED_BY_FIRST)
def one_redirect_too_many(stage: Stage) -> Any:
    client = stage.user(max_redirects=1).client
    client.max_redirects = 1
    return client.get("/redirect/302?to=/redirect/302%3Fto%3D/there").status_code


@scenario()
def requests_at_once(stage: Stage) -> Any:
    import gevent

    jobs = [gevent.spawn(stage.client.get, "/slow?s=0.3") for _ in range(8)]
    gevent.joinall(jobs, timeout=10)
    return [job.get().text for job in jobs]


@scenario(fast="takes any timeout for its own")
def request_that_is_given_up(stage: Stage) -> Any:
    import gevent

    with suppress(gevent.Timeout), gevent.Timeout(0.2):
        stage.client.get("/slow?s=1")
    return [stage.client.get("/next").text, stage.client.get("/next").text]


@scenario()
def user_that_is_stopped(stage: Stage) -> Any:
    import gevent

    job = gevent.spawn(stage.client.get, "/slow?s=1")
    gevent.sleep(0.1)
    job.kill()
    return stage.client.get("/next").text


@scenario()
def answer_that_is_read_after_the_next_one(stage: Stage) -> Any:
    first = stage.client.get("/encoded/gzip")
    second = stage.client.get("/json")
    return [first.text, second.json(), first.text]


@scenario(fast="cannot stream two at once")
def streams_at_once(stage: Stage) -> Any:
    first = stage.client.get("/big?n=100000", stream=True)
    second = stage.client.get("/encoded/identity", stream=True)
    return [len(second.content), len(first.content)]


@scenario(fast="takes pairs alone")
def auth_as_an_object(stage: Stage) -> Any:
    from requests.auth import HTTPBasicAuth

    return stage.client.get("/basic", auth=HTTPBasicAuth("alice", "secret"))


@scenario(fast="has no cookies of a request")
def cookies_as_a_jar(stage: Stage) -> Any:
    from requests.cookies import RequestsCookieJar

    jar = RequestsCookieJar()
    jar.set("mine", "1", domain="127.0.0.1", path="/here")
    jar.set("other", "1", domain="other.test", path="/")
    return [stage.client.get(path, cookies=jar).status_code for path in ("/here", "/there")]


@scenario(fleet={"seen.0.socket": "goes through the socket"})
def socket_of_this_machine(stage: Stage) -> Any:
    return stage.user(unix_socket=stage.places["unix"]).client.get("/unix?a=1")
