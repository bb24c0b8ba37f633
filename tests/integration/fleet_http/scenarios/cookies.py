"""Cookies of a session and of a request."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from tests.integration.fleet_http.table import UNKNOWN, Stage, scenario


def sets(*cookies: str, at: str = "/cookies") -> str:
    return f"{at}?" + "&".join(f"set={quote(cookie, safe='')}" for cookie in cookies)


def named(stage: Stage, name: str) -> str:
    """Return an address of the recording server under a name."""
    return f"http://{name}:{stage.places['http'].rpartition(':')[2]}"


@scenario(fast="joins headers otherwise")
def cookie_is_sent_back(stage: Stage) -> Any:
    first = stage.client.get(sets("a=1", "b=2; Path=/; HttpOnly"))
    return [first, stage.client.get("/next")]


@scenario()
def cookie_of_a_path(stage: Stage) -> Any:
    client = stage.client
    client.get(sets("deep=1; Path=/shop", "root=1; Path=/"))
    return [client.get(path).status_code for path in ("/", "/shop", "/shop/cart", "/shopping")]


@scenario()
def cookie_of_the_path_that_set_it(stage: Stage) -> Any:
    client = stage.client
    client.get(sets("here=1", at="/cookies/deep/er"))
    return [client.get(path).status_code for path in ("/", "/cookies/deep/", "/cookies/x")]


@scenario()
def cookie_of_longer_paths_first(stage: Stage) -> Any:
    stage.client.get(sets("a=root; Path=/", "a=deep; Path=/shop"))
    return stage.client.get("/shop/cart").status_code


@scenario()
def cookie_with_an_age(stage: Stage) -> Any:
    stage.client.get(sets("young=1; Max-Age=100", "old=1; Max-Age=0", "odd=1; Max-Age=x"))
    return stage.client.get("/next").status_code


@scenario()
def cookie_that_expires(stage: Stage) -> Any:
    late, past = "Wed, 01 Jan 2098 00:00:00 GMT", "Thu, 01-Jan-1970 00:00:01 GMT"
    stage.client.get(sets(f"late=1; Expires={late}", f"past=1; Expires={past}"))
    return stage.client.get("/next").status_code


@scenario()
def cookie_that_is_taken_back(stage: Stage) -> Any:
    stage.client.get(sets("a=1", "b=2"))
    stage.client.get(sets("a=; Max-Age=0"))
    return stage.client.get("/next").status_code


@scenario()
def cookie_that_is_replaced(stage: Stage) -> Any:
    stage.client.get(sets("a=1"))
    stage.client.get(sets("a=2"))
    return stage.client.get("/next").status_code


@scenario()
def cookie_that_is_secure(stage: Stage) -> Any:
    stage.client.get(sets("safe=1; Secure", "plain=1"))
    return stage.client.get("/next").status_code


@scenario()
def cookie_of_a_domain(stage: Stage) -> Any:
    client = stage.client
    client.get(named(stage, "www.shop.test") + sets("all=1; Domain=shop.test", "www=1"))
    names = ("www.shop.test", "api.shop.test", "shop.test", "other.test", "myshop.test")
    return [client.get(named(stage, name) + "/").status_code for name in names]


@scenario()
def cookie_of_a_foreign_domain(stage: Stage) -> Any:
    client = stage.client
    client.get(named(stage, "www.shop.test") + sets("a=1; Domain=other.test", "b=1; Domain=test"))
    return [client.get(named(stage, name) + "/").status_code for name in ("other.test", "x.test")]


@scenario()
def cookie_of_another_port(stage: Stage) -> Any:
    stage.client.get(sets("a=1"))
    return stage.client.get(stage.places["other"] + "/").status_code


@scenario()
def cookie_with_signs(stage: Stage) -> Any:
    stage.client.get(sets('a="quoted value"', "b=x=y", "c", "d=süß".encode().decode("latin-1")))
    return stage.client.get("/next").status_code


@scenario(fast=UNKNOWN)
def cookies_of_one_request(stage: Stage) -> Any:
    first = stage.client.get("/", cookies={"a": "1", "b": "2"})
    return [first, stage.client.get("/next").status_code]


@scenario(fast=UNKNOWN)
def cookies_of_one_request_and_the_session(stage: Stage) -> Any:
    stage.client.get(sets("a=session", "c=3"))
    return [stage.client.get("/", cookies={"a": "mine"}).status_code, stage.client.get("/next")]


@scenario()
def cookies_in_a_header(stage: Stage) -> Any:
    stage.client.get(sets("a=session"))
    return stage.client.get("/", headers={"Cookie": "b=mine"}).status_code


@scenario(fast="its jar is called cookiejar")
def cookies_of_the_session(stage: Stage) -> Any:
    client = stage.client
    client.cookies.set("a", "1")
    client.cookies["b"] = "2"
    client.cookies.update({"c": "3"})
    client.get("/")
    del client.cookies["a"]
    client.get("/next")
    client.cookies.clear()
    client.get("/last")
    return dict(client.cookies)


@scenario(fast="its jar is called cookiejar")
def cookies_of_the_session_are_readable(stage: Stage) -> Any:
    client = stage.client
    client.get(sets("a=1", "b=2"))
    return [
        client.cookies["a"],
        client.cookies.get("b"),
        client.cookies.get("none"),
        sorted(client.cookies.keys()),
        len(client.cookies),
        "a" in client.cookies,
        client.cookies.get_dict(),
    ]


@scenario(fast="its jar is called cookiejar")
def cookies_of_a_jar(stage: Stage) -> Any:
    client = stage.client
    client.get(sets("a=1; Path=/shop; Secure; HttpOnly"))
    return [[one.name, one.value, one.path, one.secure] for one in client.cookies]


@scenario()
def cookies_of_two_users_are_apart(stage: Stage) -> Any:
    stage.user().client.get(sets("a=1"))
    return stage.user().client.get("/next").status_code


@scenario()
def cookie_that_is_set_again(stage: Stage) -> Any:
    client = stage.client
    for cookie in ("a=1; Path=/", "a=1; Path=/", "a=1; Path=/shop", "a=1; Path=/; Secure"):
        client.get(sets(cookie))
        client.get("/shop/cart")
    client.get(sets("a=1; Path=/"))
    client.get(sets("a=1; Path=/; Max-Age=0"))
    return client.get("/shop/cart").status_code


@scenario(fast="its jar is called cookiejar", fleet={"got.2": "drops what has expired"})
def cookies_of_the_session_for_a_place(stage: Stage) -> Any:
    client = stage.client
    client.cookies.set("here", "1", domain="127.0.0.1", path="/here")
    client.cookies.set("old", "1", domain="127.0.0.1", path="/", expires=1)
    client.cookies.set("gone", "1", domain="127.0.0.1", path="/")
    first = [client.get(path).status_code for path in ("/here", "/there")]
    client.cookies.set("gone", None, domain="127.0.0.1", path="/")
    client.cookies.pop("here")
    return [first, client.get("/here").status_code, sorted(client.cookies.keys())]


@scenario(fast="its jar is called cookiejar")
def cookie_that_the_scenario_changes(stage: Stage) -> Any:
    client = stage.client
    client.get(sets("a=1; Path=/"))
    client.get("/page")
    for cookie in client.cookies:
        cookie.value = "2"
        client.cookies.set_cookie(cookie)
    return client.get("/page").status_code
