"""URLs, headers and redirects are read and written as requests does."""

from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from requests.exceptions import InvalidHeader, InvalidSchema, InvalidURL

from fleet_http.errors import BadRequest
from fleet_http.request.headers import Headers
from fleet_http.request.redirects import keeps_authorization, next_method, next_url
from fleet_http.urls import MAX_CACHED, Urls, without_credentials

PIECE = st.text("ab1.-_~/?&=+%:@ \xe4#;!'", max_size=12)


def oracle(url: str, params: Any = None) -> requests.PreparedRequest:
    return requests.Request("GET", url, params=params).prepare()


@given(PIECE, st.sampled_from(["http://shop", "http://shop:8080/", "https://shop/base"]))
def test_a_path_is_what_requests_makes_of_it(path: str, base: str) -> None:
    url = f"{base}/{path}" if not path.startswith(("?", "#")) else base + path
    expected = oracle(url)

    parsed = Urls(base).get(url.removeprefix(base))

    assert (parsed.text, parsed.path) == (expected.url, expected.path_url)
    assert parsed.request_head.startswith(f"{expected.path_url} HTTP/1.1\r\nHost: shop".encode())


VALUES = st.one_of(
    st.text("ab %&\xe4~", max_size=5),
    st.integers(),
    st.none(),
    st.lists(st.text("ab ", max_size=3), max_size=3),
)


@given(st.dictionaries(st.text("ab\xe4 ", max_size=3), VALUES, max_size=3), PIECE)
def test_params_are_what_requests_makes_of_them(params: dict[str, Any], path: str) -> None:
    url = f"http://shop/{path}"

    parsed = Urls("http://shop").get(f"/{path}", params)

    assert parsed.text == oracle(url, params).url


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://shop:80/", "shop"),
        ("https://shop:443/", "shop"),
        ("http://shop:443/", "shop:443"),
        ("http://[::1]:8000/", "[::1]:8000"),
        ("http://me:pass@shop/", "shop"),
    ],
)
def test_host_is_named_without_what_is_no_part_of_it(url: str, host: str) -> None:
    assert Urls("").get(url).host_header == f"Host: {host}\r\n".encode()


def test_a_password_in_a_url_is_told_as_basic_auth() -> None:
    assert Urls("").get("http://me:p%40ss@shop/").auth == ("me", "p@ss")
    assert without_credentials("http://me:p%40ss@shop/x") == ("http://shop/x", ("me", "p@ss"))


@pytest.mark.parametrize("url", ["http://[::1", "http://shop:99999/", "http://"])
def test_a_url_that_is_none_is_told_at_once(url: str) -> None:
    with pytest.raises(InvalidURL):
        Urls("").get(url)


def test_a_scheme_that_is_not_spoken_is_told_at_once() -> None:
    with pytest.raises(InvalidSchema):
        Urls("").get("ftp://shop/")


def test_urls_without_end_do_not_fill_the_memory() -> None:
    urls = Urls("http://shop")
    for number in range(5000):
        urls.get(f"/{number}")

    assert len(urls._parsed) <= MAX_CACHED


def test_headers_of_a_request_come_before_those_of_the_client() -> None:
    headers = Headers({"A": "1", "B": "2"})

    block = headers.block({"a": "3", "b": None, "C": b"\xff"})

    assert block.lines == b"a: 3\r\nC: \xff\r\n"
    assert block.names == {"a", "c"}


@pytest.mark.parametrize(
    "header", [{"A\r\nB": "1"}, {"A": "1\r\nB: 2"}, {"A": 1}, {"A": "1\n"}], ids=str
)
def test_headers_cannot_hold_a_line_of_their_own(header: Any) -> None:
    with pytest.raises(InvalidHeader):
        Headers({}).block(header)


def test_text_that_no_header_can_hold_is_told() -> None:
    with pytest.raises(BadRequest, match="give it as bytes"):
        Headers({}).block({"A": "\u20ac"})


def test_changed_headers_are_sent_anew() -> None:
    headers = Headers({"A": "1"})
    before = headers.block(None).lines
    headers["a"] = "2"
    del headers["A"]

    assert (before, headers.block(None).lines) == (b"A: 1\r\n", b"")


@pytest.mark.parametrize(
    ("url", "location", "place"),
    [
        ("http://a/b/c", "d", "http://a/b/d"),
        ("http://a/b", "//c/d", "http://c/d"),
        ("http://a/b#f", "/c", "http://a/c#f"),
        ("http://a/b#f", "/c#g", "http://a/c#g"),
        ("http://a/b", "/c d", "http://a/c%20d"),
        ("http://a/b", "/\xc3\xa4", "http://a/%C3%A4"),
        ("http://a/b", "", "http://a/b"),
    ],
)
def test_a_location_is_found_from_where_it_was_told(url: str, location: str, place: str) -> None:
    assert next_url(url, location) == place


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE"])
def test_methods_change_as_in_requests(status: int, method: str) -> None:
    prepared = requests.Request(method, "http://shop/").prepare()
    response = requests.Response()
    response.status_code = status
    requests.Session().rebuild_method(prepared, response)

    assert next_method(method, status) == prepared.method


@pytest.mark.parametrize(
    ("url", "place", "kept"),
    [
        ("http://a/", "http://a/b", True),
        ("http://a/", "http://b/", False),
        ("http://a/", "https://a/", True),
        ("https://a/", "http://a/", False),
        ("http://a/", "http://a:81/", False),
    ],
)
def test_another_place_does_not_get_the_authorization(url: str, place: str, kept: bool) -> None:
    assert keeps_authorization(url, place) is kept
