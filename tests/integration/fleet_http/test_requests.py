"""Whatever is asked is written as requests writes it."""

from __future__ import annotations

import json
from typing import Any

import requests
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.integration.fleet_http.player import Player
from tests.integration.fleet_http.recorder import Recorder
from tests.support.fuzz import examples

ODD = "aZ09-._~!$&'()*+,;=:@/?%#[]<>{}|\\^`\" \t\x00\x7fäß€你🚀"
words = st.text(ODD, max_size=8)
paths = st.builds("/{}".format, words) | st.builds("/{}?{}".format, words, words)
plain = (
    words
    | st.integers()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.none()
)
values = plain | st.lists(plain, max_size=3)
pairs = st.dictionaries(words, values, max_size=4)
anything = st.recursive(
    plain, lambda one: st.lists(one) | st.dictionaries(words, one), max_leaves=6
)
bodies = st.one_of(
    st.just({}),
    st.fixed_dictionaries({"data": pairs}),
    st.fixed_dictionaries({"data": words}),
    st.fixed_dictionaries({"json": anything}),
)


def written_by_requests(method: str, url: str, **options: Any) -> dict[str, Any]:
    """Return what requests sends, as far as both must agree to the byte."""
    prepared = requests.Request(method, url, **options).prepare()
    body = prepared.body or b""
    return {
        "method": prepared.method,
        "target": prepared.path_url,
        "type": prepared.headers.get("Content-Type"),
        "body": (body.encode() if isinstance(body, str) else body).decode("latin-1"),
    }


@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    path=paths,
    params=st.just({}) | pairs | words,
    body=bodies,
)
@settings(max_examples=examples(400), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_request_is_written_as_requests_writes_it(
    victim: Player, recorder: Recorder, method: str, path: str, params: Any, body: dict[str, Any]
) -> None:
    # It would lead to another host.
    assume(not path.startswith("//"))
    options = {"params": params, **body}
    try:
        expected = written_by_requests(method, recorder.places["http"] + path, **options)
    except requests.exceptions.RequestException:
        assume(False)
    recorder.take()
    victim.do(recorder.places, ask={"method": method, "url": path, **options})
    (seen,) = recorder.take()

    kinds = seen["headers"].get("content-type", [None])
    assert expected == {
        "method": seen["method"],
        "target": seen["target"],
        "type": kinds[0],
        "body": seen["body"],
    }


@given(value=anything)
@settings(max_examples=examples(100), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_json_that_is_sent_is_json_that_was_given(
    victim: Player, recorder: Recorder, value: Any
) -> None:
    assume(value is not None)
    recorder.take()
    victim.do(recorder.places, ask={"method": "POST", "url": "/", "json": value})
    (seen,) = recorder.take()

    assert json.loads(seen["body"].encode("latin-1")) == value
