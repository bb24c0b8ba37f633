"""Following answers that lead elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.integration.fleet_http.table import COUNTED_BY_FIRST, UNKNOWN, Stage, scenario


def to(where: str, code: int = 302, **more: str) -> str:
    query = "".join(f"&{name}={quote(value)}" for name, value in more.items())
    return f"/redirect/{code}?to={quote(where, safe='')}{query}"


@scenario()
def redirect_of_every_code(stage: Stage) -> Any:
    return [stage.client.get(to("/there", code)) for code in (301, 302, 303, 307, 308)]


@scenario()
def redirect_of_a_post(stage: Stage) -> Any:
    codes = (301, 302, 303, 307, 308)
    return [stage.client.post(to("/there", code), data={"a": 1}) for code in codes]


@scenario(fast="makes a GET of it")
def redirect_of_a_put(stage: Stage) -> Any:
    codes = (301, 302, 303, 307, 308)
    return [stage.client.put(to("/there", code), json={"a": 1}) for code in codes]


@scenario(
    fast="makes a GET of it",
    fleet={"seen.*.headers.content-length": "says that there is no body, each time"},
)
def redirect_of_a_delete(stage: Stage) -> Any:
    return [stage.client.delete(to("/there", code)) for code in (301, 302, 303, 307, 308)]


@scenario(fast="follows a HEAD unasked")
def redirect_of_a_head(stage: Stage) -> Any:
    return stage.client.head(to("/there"))


@scenario()
def redirect_of_a_head_that_is_followed(stage: Stage) -> Any:
    return stage.client.head(to("/there", 303), allow_redirects=True)


@scenario()
def redirect_of_options(stage: Stage) -> Any:
    return stage.client.options(to("/there"))


@scenario()
def redirect_of_a_file(stage: Stage) -> Any:
    files = {"file": ("a.txt", b"content")}
    return [stage.client.post(to("/there", code), files=files) for code in (302, 307)]


@scenario()
def redirect_of_an_open_file(stage: Stage) -> Any:
    with Path(stage.places["authority"]).open("rb") as file:
        return stage.client.post(to("/there", 307), data=file)


@scenario(
    fast="cannot know that it is read",
    fleet="fails: what was read cannot be sent again; requests sends nothing",
)
def redirect_of_a_generator(stage: Stage) -> Any:
    return stage.client.post(to("/there", 307), data=(part for part in (b"a", b"b")))


@scenario()
def redirect_not_followed(stage: Stage) -> Any:
    return stage.client.get(to("/there"), allow_redirects=False)


@scenario()
def redirect_not_followed_by_a_post(stage: Stage) -> Any:
    return stage.client.post(to("/there"), data={"a": 1}, allow_redirects=False)


@scenario(fast="resolves dots otherwise")
def redirect_to_relative_places(stage: Stage) -> Any:
    places = ("there", "../up", "?only=query", "//{}/other", "./x/../y", "", "/a b", "/a%20b")
    host = stage.places["http"].removeprefix("http://")
    return [stage.client.get("/sub/.." + to(one.replace("{}", host))) for one in places]


@scenario(fast="reads UTF-8 as Latin-1")
def redirect_to_other_alphabets(stage: Stage) -> Any:
    return stage.client.get(to("/straße/你好?größe=süß"))


@scenario()
def redirect_to_a_fragment(stage: Stage) -> Any:
    return stage.client.get(to("/there#part"))


@scenario(fast="forgets it")
def redirect_keeps_the_fragment(stage: Stage) -> Any:
    return stage.client.get(to("/there") + "#mine")


@scenario()
def redirect_drops_params(stage: Stage) -> Any:
    return stage.client.get(to("/there?a=1"), params={"b": 2})


@scenario()
def redirect_without_a_place(stage: Stage) -> Any:
    return stage.client.get("/redirect/302")


@scenario(fast="fails other codes")
def redirect_of_300_and_304(stage: Stage) -> Any:
    return [stage.client.get(to("/there", code)) for code in (300, 305)]


@scenario()
def redirect_of_a_chain(stage: Stage) -> Any:
    return stage.client.get(to(to(to("/there", 301), 307)))


@scenario()
def redirect_to_another_host(stage: Stage) -> Any:
    headers = {"Authorization": "Bearer secret", "Cookie": "mine=1", "X-Mine": "1"}
    return stage.client.get(to(stage.places["other"] + "/there"), headers=headers)


@scenario()
def redirect_to_another_name(stage: Stage) -> Any:
    port = stage.places["http"].rpartition(":")[2]
    headers = {"Authorization": "Bearer secret", "X-Mine": "1"}
    return stage.client.get(to(f"http://shop.test:{port}/there"), headers=headers)


@scenario()
def redirect_within_the_host_keeps_secrets(stage: Stage) -> Any:
    headers = {"Authorization": "Bearer secret", "Cookie": "mine=1"}
    return stage.client.get(to("/there"), headers=headers)


@scenario()
def redirect_to_another_host_with_auth(stage: Stage) -> Any:
    where = to(stage.places["other"] + "/there")
    return stage.client.get(where, auth=("alice", "secret"))


@scenario()
def redirect_to_another_host_and_back(stage: Stage) -> Any:
    back = to(stage.places["http"] + "/there")
    return stage.client.get(to(stage.places["other"] + back), auth=("alice", "secret"))


@scenario()
def redirect_with_a_host_header(stage: Stage) -> Any:
    where = to(stage.places["other"] + "/there")
    return stage.client.get(where, headers={"Host": "shop.example"})


@scenario()
def redirect_sets_a_cookie(stage: Stage) -> Any:
    return stage.client.get(to("/there", cookie="session=new; Path=/"))


@scenario(fast="ignores them")
def redirect_to_credentials(stage: Stage) -> Any:
    where = stage.places["http"].replace("//", "//alice:secret@") + "/basic"
    return stage.client.get(to(where))


@scenario(fast=UNKNOWN, fleet=COUNTED_BY_FIRST)
def redirect_to_another_scheme(stage: Stage) -> Any:
    where = to("https://localhost:1/there")
    return stage.client.get(where, verify=False).status_code


@scenario(fast="fails instead of raising", fleet="fails instead of raising: a server said so")
def redirect_to_a_file_of_this_machine(stage: Stage) -> Any:
    return stage.client.get(to("file:///etc/passwd")).status_code


@scenario(fleet="fails instead of raising: a server said so")
def redirect_to_no_address(stage: Stage) -> Any:
    return stage.client.get(to("http://[nowhere")).status_code


@scenario(fleet=COUNTED_BY_FIRST)
def redirect_to_nobody(stage: Stage) -> Any:
    return stage.client.get(to("http://127.0.0.1:1/there")).status_code


@scenario()
def redirect_forever(stage: Stage) -> Any:
    return stage.client.get(to("/redirect/302?to=/loop")).status_code


@scenario()
def redirect_within_a_name(stage: Stage) -> Any:
    return stage.client.get(to("/there"), name="a name")


@scenario(fast="has no history then")
def redirect_that_ends_in_an_error(stage: Stage) -> Any:
    return stage.client.get(to("/status/404"))


@scenario()
def redirect_without_a_body_to_read(stage: Stage) -> Any:
    return stage.client.get(to("/there"), stream=True)


@scenario(fast="has no such attributes")
def kind_of_a_redirect(stage: Stage) -> Any:
    answers = [stage.client.get(to("/there", code), allow_redirects=False) for code in (302, 308)]
    return [[one.is_redirect, one.is_permanent_redirect] for one in answers]


@scenario(fast=UNKNOWN)
def redirect_with_cookies_of_the_request(stage: Stage) -> Any:
    first = stage.client.get(to("/there", cookie="new=1; Path=/"), cookies={"mine": "1"})
    return [first, stage.client.get("/next").status_code]


@scenario(fast=UNKNOWN)
def redirect_of_cookies_to_another_host(stage: Stage) -> Any:
    port = stage.places["http"].rpartition(":")[2]
    where = to(f"http://shop.test:{port}/there")
    return stage.client.get(where, cookies={"mine": "1"})


@scenario(fast="takes pairs alone")
def redirect_of_what_a_function_signed(stage: Stage) -> Any:
    def sign(request: Any) -> Any:
        request.headers["X-Signature"] = "signed"
        request.headers["Authorization"] = "mine"
        return request

    inside = stage.client.get(to("/there"), auth=sign)
    return [inside, stage.client.get(to(stage.places["other"] + "/there"), auth=sign)]


@scenario(fast="has no history then")
def redirect_of_the_host_with_auth_in_it(stage: Stage) -> Any:
    client = stage.user(stage.places["http"].replace("//", "//alice:secret@")).client
    return [client.get(to("/basic")), client.get(to(stage.places["other"] + "/basic"))]


@scenario(fast="its session has no headers")
def redirect_with_a_session_header(stage: Stage) -> Any:
    stage.client.headers["Authorization"] = "Bearer token"
    stage.client.headers["X-Mine"] = "1"
    return stage.client.get(to(stage.places["other"] + "/there"))


@scenario()
def redirect_that_comes_twice(stage: Stage) -> Any:
    return [stage.client.get(to("/there", 301)) for _ in range(2)]


@scenario()
def redirect_of_an_accept_header(stage: Stage) -> Any:
    headers = {"Accept": "a/b", "Content-Type": "c/d", "Range": "bytes=0-1", "User-Agent": None}
    return [stage.client.post(to("/there", code), b"x", headers=headers) for code in (303, 308)]


@scenario()
def redirect_in_capitals(stage: Stage) -> Any:
    host = stage.places["http"].removeprefix("http://")
    return stage.client.get(to(f"HTTP://{host}/There"))


@scenario(fleet={"got.url": "writes the name of a host in small letters"})
def redirect_to_the_same_name_in_capitals(stage: Stage) -> Any:
    port = stage.places["http"].rpartition(":")[2]
    client = stage.user(f"http://shop.test:{port}").client
    return client.get(to(f"http://SHOP.test:{port}/there"), headers={"Authorization": "mine"})
