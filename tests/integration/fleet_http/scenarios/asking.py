"""Methods, addresses and parameters."""

from __future__ import annotations

from typing import Any

from tests.integration.fleet_http.table import Stage, scenario


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


@scenario(fleet="fails instead of raising")
def method_that_is_no_word(stage: Stage) -> Any:
    return stage.client.request("GET /x HTTP/1.1\r\nX-Evil: 1\r\n", "/").status_code


@scenario(fleet="fails instead of raising")
def method_of_other_letters(stage: Stage) -> Any:
    return stage.client.request("GÜT", "/").status_code


@scenario()
def address_as_bytes(stage: Stage) -> Any:
    return stage.client.get(stage.places["http"].encode() + b"/bytes").status_code


@scenario(fast="leaves them out")
def address_with_a_line_feed(stage: Stage) -> Any:
    return stage.client.get("/a\r\nX-Evil: 1\r\n\r\nb\tc\x00d").status_code


@scenario()
def address_of_a_class(stage: Stage) -> Any:
    class Place(str):
        __slots__ = ()

    return stage.client.get(Place("/place")).status_code


@scenario()
def params_with_odd_values(stage: Stage) -> Any:
    params = {"a": 1, "b": b"bytes", "c": 2.5, "d": ("x", "y"), 5: "number", "e": object}
    return stage.client.get("/", params={**params, "e": "f"}).status_code


@scenario()
def host_of_a_default_port(stage: Stage) -> Any:
    # Whoever listens there, such as a deployed stack: its first answer is the same for all.
    client = stage.user("http://127.0.0.1:80").client
    return client.get("/x", timeout=1, allow_redirects=False).status_code
