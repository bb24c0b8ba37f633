"""Connections that break, before a request, between two, or in TLS."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.fleet_http.attacks import PROXIES
from tests.integration.fleet_http.conftest import Siege
from tests.integration.fleet_http.player import Player
from tests.integration.fleet_http.recorder import Recorder

# The timeout of the user is 0.5 s; a busy machine may add to it.
REQUEST_LIMIT_S = 2.5


def fails_in_time(answer: dict[str, Any]) -> bool:
    """Tell whether it is one failed request without an answer."""
    assert answer["took_s"] < REQUEST_LIMIT_S
    return (answer["status"], [one["failed"] for one in answer["reported"]]) == (0, [True])


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"])
@pytest.mark.parametrize("attack", ["closes_when_asked_again", "resets_when_asked_again"])
def test_what_may_be_repeated_is_asked_again_on_a_new_connection(
    siege: Siege, attack: str, method: str
) -> None:
    ask = {"path": f"/{attack}", "method": method, "body": 5 if method == "PUT" else 0}
    outcome = siege.of("http", ask, ask)

    assert [answer["status"] for answer in outcome["answers"]] == [200, 200]
    assert [len(answer["reported"]) for answer in outcome["answers"]] == [1, 1]
    assert (outcome["asked"], outcome["connections"]) == ({f"/{attack}": 3}, 2)
    assert outcome["retries"] == 1


@pytest.mark.parametrize("method", ["POST", "PATCH"])
@pytest.mark.parametrize("attack", ["closes_when_asked_again", "resets_when_asked_again"])
def test_what_may_not_be_repeated_fails(siege: Siege, attack: str, method: str) -> None:
    ask = {"path": f"/{attack}", "method": method, "body": 5}
    outcome = siege.of("http", ask, ask, ask)

    assert fails_in_time(outcome["answers"][1])
    assert outcome["answers"][2]["status"] == 200
    assert outcome["asked"] == {f"/{attack}": 3}
    assert outcome["reasons"]


def test_a_request_is_repeated_once(siege: Siege) -> None:
    ask = {"path": "/works_once"}
    outcome = siege.of("http", ask, ask)

    assert fails_in_time(outcome["answers"][1])
    assert outcome["asked"] == {"/works_once": 3}


@pytest.mark.parametrize("attack", ["half_an_answer_when_asked_again", "silent_when_asked_again"])
def test_a_request_that_the_server_took_is_not_repeated(siege: Siege, attack: str) -> None:
    ask = {"path": f"/{attack}"}
    outcome = siege.of("http", ask, ask, {"path": "/fine"})

    assert fails_in_time(outcome["answers"][1])
    assert outcome["answers"][2]["text"] == "fine"
    assert outcome["asked"] == {f"/{attack}": 2, "/fine": 1}


def test_a_post_is_sent_anew_where_the_server_closed_before(siege: Siege) -> None:
    post = {"path": "/fine", "method": "POST", "body": 5, "pause_s": 0.1}
    outcome = siege.of("http", {"path": "/closes_when_idle"}, post)

    assert [answer["text"] for answer in outcome["answers"]] == ["fine", "fine"]


def test_nobody_waits_forever_for_a_connection(siege: Siege) -> None:
    outcome = siege.of("full", {"path": "/fine"})

    assert fails_in_time(outcome["answers"][0])
    assert outcome["left_open"] == 0


def test_what_came_unasked_while_the_process_was_busy_is_no_answer(siege: Siege) -> None:
    busy = {"path": "/fine", "busy_s": 0.3}
    outcome = siege.of("http", {"path": "/smuggles_later"}, busy, {"path": "/fine"})

    assert [answer["text"] for answer in outcome["answers"]] == ["fine"] * 3


def test_a_post_is_sent_anew_where_the_server_closed_while_the_process_was_busy(
    siege: Siege,
) -> None:
    post = {"path": "/fine", "method": "POST", "body": 5, "busy_s": 0.1}
    outcome = siege.of("http", {"path": "/closes_when_idle"}, post)

    assert [answer["text"] for answer in outcome["answers"]] == ["fine", "fine"]


@pytest.mark.parametrize(
    "attack",
    ["byte_by_byte_in_the_body", "byte_by_byte_in_chunks", "endless_body", "gzip_bomb"],
)
def test_a_stream_that_is_read_at_once_ends_in_time(siege: Siege, attack: str) -> None:
    outcome = siege.of("http", {"path": f"/{attack}", "stream": True}, {"path": "/fine"})

    assert outcome["answers"][0]["took_s"] < REQUEST_LIMIT_S
    assert outcome["answers"][1]["text"] == "fine"
    assert outcome["left_open"] == 0


def test_a_redirect_that_is_streamed_ends_in_time(siege: Siege) -> None:
    outcome = siege.of("http", {"path": "/redirects_slowly", "stream": True}, {"path": "/fine"})

    assert fails_in_time(outcome["answers"][0])
    assert outcome["answers"][1]["text"] == "fine"


@pytest.mark.parametrize("attack", PROXIES)
def test_a_proxy_that_attacks_is_a_failure(siege: Siege, attack: str) -> None:
    ask = {"path": f"https://{attack}.test/", "proxy": siege.places["proxy"]}
    outcome = siege.of("http", ask, {"path": "/fine"})

    assert fails_in_time(outcome["answers"][0])
    assert len(outcome["reasons"]) == 1
    assert outcome["answers"][1]["text"] == "fine"
    assert outcome["left_open"] == 0


def test_an_answer_that_came_before_the_question_ends_the_connection(siege: Siege) -> None:
    ask = {"path": "/fine", "method": "POST", "body": 5}
    outcome = siege.of("greeting", ask, {"path": "/fine", "pause_s": 0.1}, {"path": "/fine"})

    assert [answer["text"] for answer in outcome["answers"]][1:] == ["fine", "fine"]


@pytest.mark.parametrize("place", ["half_tls", "no_tls", "silent_tls"])
def test_tls_that_never_comes_to_be_is_a_failure(siege: Siege, place: str) -> None:
    ask = {"path": "/fine", "verify": siege.places["authority"]}
    outcome = siege.of(place, ask, ask)

    assert all(map(fails_in_time, outcome["answers"]))
    assert outcome["reasons"]
    assert outcome["left_open"] == 0


def test_a_certificate_of_another_name_is_refused(siege: Siege) -> None:
    ask = {"path": "/fine", "verify": siege.places["authority"]}
    outcome = siege.of("other_name", ask)

    assert fails_in_time(outcome["answers"][0])
    assert "certificate" in outcome["reasons"][0].lower()
    assert outcome["asked"] == {}


def test_a_certificate_of_an_unknown_authority_is_refused(siege: Siege) -> None:
    outcome = siege.of("tls", {"path": "/fine"})

    assert fails_in_time(outcome["answers"][0])
    assert "certificate" in outcome["reasons"][0].lower()


@pytest.mark.parametrize(
    ("attack", "works"),
    [
        ("closes_after_the_head", False),
        ("closes_in_the_body", False),
        ("closes_in_a_chunk", False),
        ("resets_in_the_body", False),
        ("hangs_in_the_body", False),
        ("byte_by_byte_in_the_head", False),
        ("endless_head", False),
        ("endless_body", False),
        ("gzip_bomb", False),
        ("head_of_one_long_line", False),
        ("smuggles_after_a_length", True),
        ("smuggles_later", True),
        ("closes_when_idle", True),
        ("in_small_parts_but_in_time", True),
        ("long_but_never_silent", True),
    ],
)
def test_an_attack_within_tls_is_no_worse(siege: Siege, attack: str, works: bool) -> None:
    verify = {"verify": siege.places["authority"]}
    fine = {"path": "/fine", **verify, "pause_s": 0.3 if "later" in attack else 0.1}
    outcome = siege.of("tls", {"path": f"/{attack}", **verify}, fine, fine)

    first, *rest = outcome["answers"]
    assert first["status"] == 200 if works else fails_in_time(first)
    assert "EVIL" not in str(first["text"])
    assert [answer["text"] for answer in rest] == ["fine", "fine"]
    assert outcome["left_open"] == 0


def test_a_user_that_waits_costs_nothing(siege: Siege) -> None:
    outcome = siege.of("http", {"path": "/hangs_before_the_head"})

    assert outcome["answers"][0]["cpu_s"] < 0.1


@pytest.mark.parametrize("attack", ["fine", "byte_by_byte_in_the_body", "endless_body"])
def test_streams_that_nobody_reads_are_closed(siege: Siege, attack: str) -> None:
    ask = {"path": f"/{attack}", "stream": True, "read": False}
    outcome = siege.of("http", *[ask] * 5, {"path": "/fine"})

    assert outcome["answers"][-1]["text"] == "fine"
    assert outcome["answers"][-1]["open"] - outcome["answers"][0]["open"] <= 1
    assert outcome["left_open"] == 0


@pytest.mark.parametrize(("place", "requests"), [("http", 1500), ("https", 400)])
def test_requests_that_are_broken_off_do_not_mix_up_answers(
    victim: Player, recorder: Recorder, place: str, requests: int
) -> None:
    outcome = victim.do(recorder.places, storm=requests, at=place)

    assert outcome["wrong"] == []
    assert outcome["right"] > 0
    assert outcome["broken_off"] > 0
    assert outcome["left_open"] == 0


@pytest.mark.parametrize("attack", ["endless_body", "reads_a_little_and_resets"])
def test_failures_keep_nothing_of_what_they_read_or_sent(siege: Siege, attack: str) -> None:
    body = 0 if attack == "endless_body" else 16_000_000
    method = "POST" if body else "GET"
    ask = {"method": method, "body": body, "read": False}
    outcome = siege.of("http", *[{**ask, "path": f"/{attack}?{name}"} for name in range(8)])

    assert len(outcome["reasons"]) == 8
    assert outcome["kept"] < 60_000_000
