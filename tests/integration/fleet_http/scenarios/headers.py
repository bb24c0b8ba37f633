"""Headers of a request and of the session."""

from __future__ import annotations

from typing import Any

from tests.integration.fleet_http.table import REFUSED, Stage, scenario


@scenario()
def headers_of_a_request(stage: Stage) -> Any:
    return stage.client.get("/", headers={"X-One": "1", "Accept": "text/html"})


@scenario()
def headers_that_replace_defaults(stage: Stage) -> Any:
    mine = {"User-Agent": "me", "accept": "a/b", "Accept-Encoding": "br", "Connection": "close"}
    return stage.client.get("/", headers=mine)


@scenario(
    fleet={"seen.0.headers.accept-encoding": "takes it away; http.client then writes identity"}
)
def headers_that_are_taken_away(stage: Stage) -> Any:
    none = {"User-Agent": None, "Accept": None, "Accept-Encoding": None, "Connection": None}
    return stage.client.get("/", headers=none)


@scenario(fast="writes the bytes as Python shows them")
def headers_as_bytes(stage: Stage) -> Any:
    return stage.client.get("/", headers={"X-One": b"bytes"})


@scenario()
def headers_of_latin_letters(stage: Stage) -> Any:
    return stage.client.get("/", headers={"X-One": "Jürgen"})


@scenario(fast="writes the bytes as Python shows them")
def headers_of_other_alphabets(stage: Stage) -> Any:
    return stage.client.get("/", headers={"X-One": "你好".encode()})


@scenario(fast="writes it", fleet=REFUSED)
def header_that_is_a_number(stage: Stage) -> Any:
    return stage.client.get("/", headers={"X-One": 1})


@scenario(fast="raises instead of failing", fleet=REFUSED)
def header_with_a_line_feed(stage: Stage) -> Any:
    return stage.client.get("/", headers={"X-One": "1\r\nX-Two: 2"})


@scenario(fast="raises instead of failing", fleet=REFUSED)
def header_name_with_a_line_feed(stage: Stage) -> Any:
    return stage.client.get("/", headers={"X-One: 1\r\nX-Two": "2"})


@scenario()
def host_header_of_its_own(stage: Stage) -> Any:
    return stage.client.get("/", headers={"Host": "shop.example"})


@scenario(fast="its session has no headers")
def headers_of_the_session(stage: Stage) -> Any:
    client = stage.client
    client.headers.update({"X-All": "always", "X-One": "session"})
    return [client.get("/1", headers={"x-one": "mine"}), client.get("/2", headers={"X-All": None})]


@scenario(fleet="fails instead of raising")
def headers_of_other_alphabets_as_text(stage: Stage) -> Any:
    return stage.client.get("/", headers={"X-One": "你好"}).status_code


@scenario(fast="takes text alone")
def header_names_as_bytes(stage: Stage) -> Any:
    return stage.client.get("/", headers={b"X-One": "1", b"X-Two": b"2"}).status_code


@scenario(fast="writes what requests refuses")
def headers_with_blanks(stage: Stage) -> Any:
    return [
        stage.client.get("/", headers={"X-One": value}).status_code
        for value in (" before", "after ", "\ttab", "", "a\tb")
    ]
