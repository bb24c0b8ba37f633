"""Methods, addresses, parameters and headers."""

from __future__ import annotations

from typing import Any

from tests.integration.users.table import REFUSED, Stage, scenario


@scenario()
def get(stage: Stage) -> Any:
    return stage.client.get("/")


AS_WRITTEN = {"got.url": "tells what was written, not what was sent"}


@scenario()
def post_nothing(stage: Stage) -> Any:
    return stage.client.post("/")


@scenario()
def put_text(stage: Stage) -> Any:
    return stage.client.put("/thing/1", data=b"text")


@scenario()
def patch_text(stage: Stage) -> Any:
    return stage.client.patch("/thing/1", data=b"text")


@scenario()
def delete(stage: Stage) -> Any:
    return stage.client.delete("/thing/1")


@scenario()
def delete_with_a_body(stage: Stage) -> Any:
    return stage.client.delete("/thing/1", data=b"why")


@scenario()
def head(stage: Stage) -> Any:
    return stage.client.head("/thing/1")


@scenario()
def options(stage: Stage) -> Any:
    return stage.client.options("/*")


@scenario()
def any_method(stage: Stage) -> Any:
    return stage.client.request("PROPFIND", "/folder", headers={"Depth": "1"})


@scenario()
def method_in_small_letters(stage: Stage) -> Any:
    return stage.client.request("get", "/small")


@scenario()
def get_with_a_body(stage: Stage) -> Any:
    return stage.client.get("/search", json={"query": "all"})


@scenario(fast=AS_WRITTEN)
def params_as_a_dict(stage: Stage) -> Any:
    return stage.client.get("/search", params={"q": "one two", "n": 3, "b": True, "r": 1.5})


@scenario(fast=AS_WRITTEN)
def params_with_lists(stage: Stage) -> Any:
    return stage.client.get("/search", params={"tag": ["a", "b"], "none": None, "empty": ""})


@scenario(fast=AS_WRITTEN)
def params_as_pairs(stage: Stage) -> Any:
    return stage.client.get("/search", params=[("a", "1"), ("a", "2"), ("b", "&=?#/")])


@scenario(fast=AS_WRITTEN)
def params_as_text(stage: Stage) -> Any:
    return stage.client.get("/search", params="plain=1&also=2")


@scenario(fast="takes no bytes")
def params_as_bytes(stage: Stage) -> Any:
    return stage.client.get("/search", params=b"plain=1")


@scenario(fast=AS_WRITTEN)
def params_of_other_alphabets(stage: Stage) -> Any:
    return stage.client.get("/search", params={"größe": "süß 你好 🚀"})


@scenario(fast=AS_WRITTEN)
def params_after_a_query(stage: Stage) -> Any:
    return stage.client.get("/search?page=1", params={"q": "x"})


@scenario(fast=AS_WRITTEN)
def params_and_a_fragment(stage: Stage) -> Any:
    return stage.client.get("/search#top", params={"q": "x"})


@scenario()
def params_of_nothing(stage: Stage) -> Any:
    return stage.client.get("/search", params={})


@scenario(fast=AS_WRITTEN)
def path_of_other_alphabets(stage: Stage) -> Any:
    return stage.client.get("/straße/你好?größe=süß")


@scenario(fast=AS_WRITTEN)
def path_with_blanks(stage: Stage) -> Any:
    return stage.client.get("/a b/c?d=e f")


@scenario(fast="quotes all of it once more")
def path_that_is_quoted_already(stage: Stage) -> Any:
    return stage.client.get("/a%20b%2Fc%zz?d=%26%e4")


@scenario(fast="quotes less")
def path_with_signs(stage: Stage) -> Any:
    return stage.client.get("/a;b=c,d@e:f(g)'h'*i!j$k&l+m~n|o<p>q\"r[s]t^u`v{w}x\\y")


@scenario(fast="sends the dots")
def path_with_dots(stage: Stage) -> Any:
    return stage.client.get("/a/./b/../c//d/")


@scenario(fast="does not read the target as a path")
def path_of_two_slashes(stage: Stage) -> Any:
    return stage.client.get("//double//slash")


@scenario(fast=AS_WRITTEN)
def query_without_a_path(stage: Stage) -> Any:
    return stage.client.get("?only=query")


@scenario(fast=AS_WRITTEN)
def query_that_is_empty(stage: Stage) -> Any:
    return stage.client.get("/path?")


@scenario(fast=AS_WRITTEN)
def empty_path(stage: Stage) -> Any:
    return stage.client.get("")


@scenario()
def whole_address(stage: Stage) -> Any:
    return stage.client.get(stage.places["other"] + "/elsewhere")


@scenario(fast=AS_WRITTEN)
def whole_address_in_capitals(stage: Stage) -> Any:
    return stage.client.get(stage.places["other"].replace("http", "HTTP") + "/Elsewhere")


@scenario(fast=AS_WRITTEN)
def whole_address_by_name(stage: Stage) -> Any:
    port = stage.places["http"].rpartition(":")[2]
    return stage.client.get(f"http://SHOP.test:{port}/by-name")


@scenario()
def host_with_a_path(stage: Stage) -> Any:
    return stage.user(stage.places["http"] + "/api/v1").client.get("/things")


@scenario(fast="does not read the target as a path")
def host_with_a_slash(stage: Stage) -> Any:
    return stage.user(stage.places["http"] + "/").client.get("/things")


@scenario()
def host_of_ipv6(stage: Stage) -> Any:
    return stage.user(stage.places["ipv6"]).client.get("/six")


@scenario(fast="does not write the name as name servers need it")
def host_of_other_alphabets(stage: Stage) -> Any:
    port = stage.places["http"].rpartition(":")[2]
    return stage.client.get(f"http://bücher.test:{port}/idn")


@scenario(fast="fails instead of raising")
def address_without_a_scheme(stage: Stage) -> Any:
    return stage.user("127.0.0.1:1").client.get("/nowhere")


@scenario(fast="asks by HTTP")
def address_of_another_scheme(stage: Stage) -> Any:
    return stage.user("ftp://127.0.0.1").client.get("/file")


@scenario(fast="fails instead of raising")
def address_without_a_host(stage: Stage) -> Any:
    return stage.user("http://").client.get("/nowhere")


@scenario()
def port_that_is_none(stage: Stage) -> Any:
    return stage.user("http://127.0.0.1:99999").client.get("/nowhere")


@scenario()
def nobody_listens(stage: Stage) -> Any:
    return stage.user("http://127.0.0.1:1").client.get("/nowhere").status_code


@scenario()
def name_that_does_not_exist(stage: Stage) -> Any:
    return stage.user("http://nobody.invalid").client.get("/nowhere").status_code


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


@scenario(fast="its session has no params", fleet="has no params of its own, and says so")
def params_of_the_session(stage: Stage) -> Any:
    stage.client.params = {"key": "secret"}
    return stage.client.get("/", params={"q": "1"})


@scenario()
def many_requests_on_one_connection(stage: Stage) -> Any:
    return [stage.client.get(f"/{number}").status_code for number in range(5)]


@scenario()
def rest_of_a_client(stage: Stage) -> Any:
    with stage.user().rest("GET", "/json") as response:
        return [response.js, response.status_code]
