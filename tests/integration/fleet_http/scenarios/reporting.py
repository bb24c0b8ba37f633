"""What is reported to Locust, by all the forms that a request may have."""

from __future__ import annotations

from typing import Any

from tests.integration.fleet_http.table import Stage, scenario

STATUS_ALONE = {"got.ok": "is about the status alone, not about the verdict"}


@scenario()
def name_of_a_request(stage: Stage) -> Any:
    return stage.client.get("/thing/1", name="/thing/[id]").status_code


@scenario()
def name_with_params(stage: Stage) -> Any:
    stage.client.get("/thing", params={"a": "1"})
    stage.client.get("/thing?b=2")
    stage.client.get("/thing#part")
    stage.client.get(stage.places["other"] + "/whole?c=3")


@scenario()
def name_of_other_alphabets(stage: Stage) -> Any:
    stage.client.get("/straße?größe=süß")


@scenario()
def name_of_a_group(stage: Stage) -> Any:
    client = stage.client
    client.request_name = "group"
    client.get("/one")
    client.get("/two", name="own")
    client.request_name = None
    client.get("/three")


@scenario()
def name_in_a_block(stage: Stage) -> Any:
    with stage.client.rename_request("block"):
        stage.client.get("/one")
    stage.client.get("/two")


@scenario()
def context_of_a_request(stage: Stage) -> Any:
    stage.client.get("/", context={"tenant": "one"})


@scenario()
def context_of_a_user(stage: Stage) -> Any:
    user = stage.user(context=lambda _: {"user": "me", "tenant": "mine"})
    user.client.get("/", context={"tenant": "one"})


@scenario(fast="fails codes that it does not know")
def errors_are_failures(stage: Stage) -> Any:
    return [stage.client.get(f"/status/{code}").ok for code in (302, 399, 400, 404, 500)]


@scenario()
def block_without_a_word(stage: Stage) -> Any:
    for code in (200, 404):
        with stage.client.get(f"/status/{code}", catch_response=True) as response:
            assert response.status_code == code


@scenario(fast="loses history and time in a block", fleet=STATUS_ALONE)
def block_that_fails_a_good_answer(stage: Stage) -> Any:
    with stage.client.get("/", catch_response=True) as response:
        response.failure("too small")
    return response


@scenario()
def block_that_fails_with_an_error(stage: Stage) -> Any:
    with stage.client.get("/", catch_response=True) as response:
        response.failure(ValueError("of its own"))


@scenario(fast="loses history and time in a block", fleet=STATUS_ALONE)
def block_that_passes_a_bad_answer(stage: Stage) -> Any:
    with stage.client.get("/status/404", catch_response=True) as response:
        response.success()
    return response


@scenario()
def block_that_changes_its_mind(stage: Stage) -> Any:
    with stage.client.get("/", catch_response=True) as response:
        response.failure("no")
        response.success()
    with stage.client.get("/", catch_response=True) as response:
        response.success()
        response.failure("no")


@scenario()
def block_that_raises(stage: Stage) -> Any:
    with stage.client.get("/", catch_response=True):
        raise ZeroDivisionError("in the block")


@scenario()
def block_that_raises_after_a_failure(stage: Stage) -> Any:
    with stage.client.get("/", catch_response=True) as response:
        response.failure("no")
        raise ZeroDivisionError("in the block")


@scenario()
def block_that_raises_a_verdict(stage: Stage) -> Any:
    from locust.exception import ResponseError

    with stage.client.get("/", catch_response=True):
        raise ResponseError("no good")


@scenario()
def block_that_raises_for_status(stage: Stage) -> Any:
    with stage.client.get("/status/404", catch_response=True) as response:
        response.raise_for_status()


@scenario()
def block_that_is_left_early(stage: Stage) -> Any:
    for _ in range(2):
        with stage.client.get("/", catch_response=True) as response:
            response.failure("skipped")
            continue


@scenario(fast="lets one enter")
def block_without_catch_response(stage: Stage) -> Any:
    with stage.client.get("/"):
        pass


@scenario()
def block_with_a_name(stage: Stage) -> Any:
    with stage.client.post("/", json={}, name="named", catch_response=True) as response:
        response.success()


@scenario(fast="has no text then")
def block_of_a_broken_request(stage: Stage) -> Any:
    with stage.user("http://127.0.0.1:1").client.get("/x", catch_response=True) as response:
        return [response.status_code, bool(response.error), response.content, response.text]


@scenario()
def block_that_passes_a_broken_request(stage: Stage) -> Any:
    with stage.user("http://127.0.0.1:1").client.get("/x", catch_response=True) as response:
        response.success()


@scenario()
def block_never_entered(stage: Stage) -> Any:
    return stage.client.get("/", catch_response=True).status_code


@scenario()
def verdict_without_a_block(stage: Stage) -> Any:
    stage.client.get("/").failure("too late")


@scenario()
def verdict_before_a_block(stage: Stage) -> Any:
    stage.client.get("/", catch_response=True).success()


@scenario()
def verdict_raised_again(stage: Stage) -> Any:
    with stage.client.get("/", catch_response=True) as response:
        response.failure("no")
        response.raise_for_status()


@scenario(fast="answers instead", fleet="tells False instead of raising")
def broken_request_raises_when_asked(stage: Stage) -> Any:
    response = stage.user("http://127.0.0.1:1").client.get("/x")
    return [response.status_code, dict(response.headers or {}), response.ok]


@scenario(fleet={"got": "has no response in it, which would hold itself"})
def meta_of_a_request(stage: Stage) -> Any:
    with stage.client.get("/big?n=7", catch_response=True) as response:
        meta = response.request_meta
        meta["name"], meta["response_time"] = "changed", 42.0
        return sorted(meta)


@scenario(fast="reads what it was to stream")
def length_of_an_encoded_answer(stage: Stage) -> Any:
    stage.client.get("/encoded/gzip")
    stage.client.get("/encoded/gzip", stream=True)
    stage.client.get("/chunked", stream=True)
    stage.client.head("/head")


@scenario()
def request_of_an_answer(stage: Stage) -> Any:
    request = stage.client.post("/path?a=1", data=b"body", headers={"X-One": "1"}).request
    return [request.method, request.url, request.body, request.headers["x-one"]]


@scenario()
def rest_of_good_json(stage: Stage) -> Any:
    with stage.user().rest("POST", "/json", json={"a": 1}) as response:
        assert response.js["greeting"] == "hello"


@scenario()
def rest_of_no_json(stage: Stage) -> Any:
    with stage.user().rest("GET", "/") as response:
        return response.js


@scenario()
def rest_of_an_error(stage: Stage) -> Any:
    with stage.user().rest("GET", "/status/500") as response:
        return [response.js, response.status_code]


@scenario()
def rest_of_an_assertion(stage: Stage) -> Any:
    with stage.user().rest("GET", "/json") as response:
        assert response.js["greeting"] == "bye", "wrong greeting"


@scenario()
def rest_of_a_mistake(stage: Stage) -> Any:
    with stage.user().rest("GET", "/json") as response:
        response.js["none"]


@scenario()
def rest_of_nothing(stage: Stage) -> Any:
    with stage.user().rest("DELETE", "/no-content") as response:
        return response.js


@scenario()
def rest_of_a_broken_request(stage: Stage) -> Any:
    with stage.user("http://127.0.0.1:1").rest("GET", "/x") as response:
        return [response.status_code, response.js]


@scenario()
def rest_with_a_time(stage: Stage) -> Any:
    with stage.user().rest_("GET", "/json", name="fixed") as response:
        return response.js["greeting"]
