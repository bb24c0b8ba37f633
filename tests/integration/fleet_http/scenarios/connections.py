"""Auth, timeouts, TLS, proxies and sockets."""

from __future__ import annotations

import time
from typing import Any

from tests.integration.fleet_http.table import UNKNOWN, Stage, scenario

TUNNEL = {"seen.0.headers": "names the host to the proxy, as RFC 9112 (3.2) has it"}


@scenario()
def auth_as_a_pair(stage: Stage) -> Any:
    return stage.client.get("/basic", auth=("alice", "secret"))


@scenario()
def auth_that_is_wrong(stage: Stage) -> Any:
    return stage.client.get("/basic", auth=("alice", "wrong"))


@scenario()
def auth_of_other_letters(stage: Stage) -> Any:
    return stage.client.get("/", auth=("jürgen", "pass:wörd"))


@scenario(fast="takes pairs alone")
def auth_as_a_function(stage: Stage) -> Any:
    def sign(request: Any) -> Any:
        request.headers["X-Signature"] = f"{request.method} {request.url[-5:]}"
        return request

    return stage.client.get("/sign", auth=sign)


@scenario(fast="its session has none")
def auth_of_the_session(stage: Stage) -> Any:
    stage.client.auth = ("alice", "secret")
    return stage.client.get("/basic")


@scenario()
def auth_in_the_host(stage: Stage) -> Any:
    host = stage.places["http"].replace("//", "//alice:se%63ret@")
    return stage.user(host).client.get("/basic")


@scenario(fast="ignores it")
def auth_in_the_address(stage: Stage) -> Any:
    return stage.client.get(stage.places["http"].replace("//", "//alice:secret@") + "/basic")


@scenario()
def auth_and_a_header(stage: Stage) -> Any:
    return stage.client.get("/", auth=("a", "b"), headers={"Authorization": "mine"})


@scenario(fast=UNKNOWN)
def timeout_of_an_answer(stage: Stage) -> Any:
    user = stage.user(network_timeout=0.3)
    began = time.monotonic()
    response = user.client.get("/slow?s=2", timeout=0.3)
    waited = time.monotonic() - began
    return [response.status_code, 0.2 < waited < 1.5, user.client.get("/next").status_code]


@scenario(fast=UNKNOWN)
def timeout_as_a_pair(stage: Stage) -> Any:
    began = time.monotonic()
    response = stage.client.get("/slow?s=2", timeout=(3, 0.3))
    return [response.status_code, time.monotonic() - began < 1.5]


@scenario(fast=UNKNOWN)
def timeout_that_is_long_enough(stage: Stage) -> Any:
    return stage.client.get("/slow?s=0.2", timeout=3)


@scenario(fast=UNKNOWN)
def timeout_of_none(stage: Stage) -> Any:
    return stage.client.get("/slow?s=0.2", timeout=None)


@scenario(fast=UNKNOWN)
def tls_of_a_known_authority(stage: Stage) -> Any:
    client = stage.user(stage.places["https"]).client
    authority = stage.places["authority"]
    return [client.get(path, verify=authority) for path in ("/one", "/two")]


@scenario(fast=UNKNOWN)
def tls_of_an_unknown_authority(stage: Stage) -> Any:
    return stage.user(stage.places["https"]).client.get("/", verify=True).status_code


@scenario(fast="verifies nothing unless it is told to")
def tls_unasked(stage: Stage) -> Any:
    return stage.user(stage.places["https"]).client.get("/").status_code


@scenario(fast=UNKNOWN)
def tls_not_verified(stage: Stage) -> Any:
    return stage.user(stage.places["other_name"]).client.get("/", verify=False)


@scenario(fast=UNKNOWN)
def tls_of_another_name(stage: Stage) -> Any:
    client = stage.user(stage.places["other_name"]).client
    return client.get("/", verify=stage.places["authority"]).status_code


@scenario(fast=UNKNOWN)
def tls_verified_after_it_was_not(stage: Stage) -> Any:
    client = stage.user(stage.places["other_name"]).client
    verified = stage.places["authority"]
    return [client.get("/", verify=one).status_code for one in (False, verified, False)]


@scenario(fast=UNKNOWN)
def tls_by_address(stage: Stage) -> Any:
    host = stage.places["https"].replace("localhost", "127.0.0.1")
    return stage.user(host).client.get("/", verify=stage.places["authority"])


@scenario(fast=UNKNOWN)
def tls_with_a_certificate(stage: Stage) -> Any:
    client = stage.user(stage.places["asking"]).client
    return client.get("/", verify=stage.places["authority"], cert=stage.places["client"])


@scenario(fast=UNKNOWN)
def tls_with_a_certificate_and_a_key(stage: Stage) -> Any:
    client = stage.user(stage.places["asking"]).client
    both = (stage.places["client"], stage.places["client"])
    return client.get("/", verify=stage.places["authority"], cert=both)


@scenario()
def tls_without_a_certificate(stage: Stage) -> Any:
    client = stage.user(stage.places["asking"]).client
    return client.get("/", verify=stage.places["authority"]).status_code


@scenario(fast=UNKNOWN, fleet="is a failure instead of raising")
def tls_of_a_missing_authority(stage: Stage) -> Any:
    client = stage.user(stage.places["https"]).client
    return client.get("/", verify="/nowhere/authority.pem").status_code


@scenario()
def tls_of_the_session(stage: Stage) -> Any:
    client = stage.user(stage.places["https"]).client
    client.verify = stage.places["authority"]
    return client.get("/").status_code


@scenario()
def tls_where_there_is_none(stage: Stage) -> Any:
    host = stage.places["http"].replace("http://", "https://")
    return stage.user(host).client.get("/", verify=False, timeout=1).status_code


@scenario(fast=UNKNOWN)
def tls_with_a_big_body(stage: Stage) -> Any:
    client = stage.user(stage.places["https"]).client
    authority = stage.places["authority"]
    sent = client.post("/", data=b"m" * 2**20, verify=authority).status_code
    return [sent, len(client.get("/big?n=1000000", verify=authority).content)]


@scenario(fast=UNKNOWN)
def proxy_of_http(stage: Stage) -> Any:
    proxies = {"http": stage.places["proxy"]}
    return [stage.client.get(f"/{n}?a=1", proxies=proxies) for n in range(2)]


@scenario(fast=UNKNOWN)
def tls_on_new_connections(stage: Stage) -> Any:
    authority = stage.places["authority"]
    return [
        stage.user(stage.places[place]).client.get(path, verify=authority)
        for place in ("https", "https_1_2")
        for path in ("/one", "/two")
    ]


@scenario(fast=UNKNOWN)
def tls_on_new_connections_of_one_user(stage: Stage) -> Any:
    authority = stage.places["authority"]
    clients = [stage.user(stage.places[place]).client for place in ("https", "https_1_2")]
    return [client.get("/close", verify=authority) for client in clients for _ in range(3)]


@scenario(fast=UNKNOWN)
def tls_is_verified_on_a_session_that_was_not(stage: Stage) -> Any:
    client = stage.user(stage.places["other_name"]).client
    verified = stage.places["authority"]
    return [client.get("/close", verify=one).status_code for one in (False, False, verified)]


@scenario(fast=UNKNOWN)
def tls_closed_without_a_word(stage: Stage) -> Any:
    """The server ends TCP and not TLS, as many do."""
    client = stage.user(stage.places["https"]).client
    authority = stage.places["authority"]
    return [client.get(f"/{path}", verify=authority) for path in ("close", "until-close", "next")]


@scenario(fast="has a proxy per class")
def proxy_of_the_session(stage: Stage) -> Any:
    stage.client.proxies = {"http": stage.places["proxy"]}
    return stage.client.get("/")


@scenario(fast=UNKNOWN, fleet=TUNNEL)
def proxy_of_https(stage: Stage) -> Any:
    client = stage.user(stage.places["https"]).client
    proxies, authority = {"https": stage.places["proxy"]}, stage.places["authority"]
    return [client.get(f"/{n}", proxies=proxies, verify=authority) for n in range(2)]


@scenario(fast=UNKNOWN, fleet=TUNNEL)
def proxy_with_credentials(stage: Stage) -> Any:
    proxy = stage.places["proxy"].replace("//", "//me:pass@")
    client = stage.user(stage.places["https"]).client
    client.get("/", proxies={"https": proxy}, verify=stage.places["authority"])
    return stage.client.get("/", proxies={"http": proxy})


@scenario(fast=UNKNOWN, fleet=TUNNEL)
def proxy_that_refuses(stage: Stage) -> Any:
    client = stage.user("https://refused.test:1").client
    return client.get("/", proxies={"https": stage.places["proxy"]}, verify=False).status_code


@scenario(fast=UNKNOWN)
def proxy_that_is_not_there(stage: Stage) -> Any:
    return stage.client.get("/", proxies={"http": "http://127.0.0.1:1"}).status_code


@scenario(fast=UNKNOWN)
def proxy_of_all(stage: Stage) -> Any:
    return stage.client.get("/", proxies={"all": stage.places["proxy"]}).status_code


@scenario(fast=UNKNOWN)
def proxy_of_one_host(stage: Stage) -> Any:
    proxies = {"http://shop.test": stage.places["proxy"]}
    port = stage.places["http"].rpartition(":")[2]
    whole = f"http://shop.test:{port}/proxied"
    return [stage.client.get(url, proxies=proxies).status_code for url in (whole, "/direct")]


@scenario(fast=UNKNOWN, fleet={"seen.1.connection": "has a connection for each origin"})
def proxy_and_a_redirect(stage: Stage) -> Any:
    where = stage.places["other"] + "/there"
    proxies = {"http": stage.places["proxy"]}
    return stage.client.get("/redirect/302", params={"to": where}, proxies=proxies)


@scenario(fast=UNKNOWN, fleet="has no hooks, and says so")
def hook_of_a_response(stage: Stage) -> Any:
    called: list[int] = []
    hooks = {"response": lambda response, **_: called.append(response.status_code)}
    stage.client.get("/", hooks=hooks)
    return called


@scenario()
def users_do_not_share_connections(stage: Stage) -> Any:
    one, other = stage.user(), stage.user()
    return [user.client.get("/").status_code for user in (one, other, one, other)]


@scenario(fast="takes pairs alone", fleet="says that it has none")
def auth_by_digest(stage: Stage) -> Any:
    from requests.auth import HTTPDigestAuth

    return stage.client.get("/basic", auth=HTTPDigestAuth("alice", "secret")).status_code


@scenario(fast="its session has none")
def auth_of_the_session_that_one_request_changes(stage: Stage) -> Any:
    stage.client.auth = ("alice", "secret")
    return [stage.client.get("/basic", auth=("bob", "x")), stage.client.get("/basic")]


@scenario(fast="its session has none")
def auth_of_the_session_and_a_header(stage: Stage) -> Any:
    stage.client.auth = ("alice", "secret")
    return stage.client.get("/basic", headers={"Authorization": "mine"})
