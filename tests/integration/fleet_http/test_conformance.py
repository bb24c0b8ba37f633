"""A scenario does the same with each user, but for the differences that the table explains."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.integration.fleet_http import scenarios
from tests.integration.fleet_http.compare import judge, leaves
from tests.integration.fleet_http.conftest import KINDS, Outcomes
from tests.integration.fleet_http.table import TABLE, Differences

scenarios.load()

FAST: Differences = {
    "seen.*.headers.user-agent": "names itself",
    "seen.*.headers.accept": "says that it accepts anything by saying nothing",
    "seen.*.headers.connection": "writes Keep-Alive, or nothing at all",
    "seen.*.headers.accept-encoding": "writes the same in another order",
    "got*.reason": "has no such attribute",
    "got*.cookies": "has no such attribute",
    "got*.encoding": "is known only once the text was asked for",
    "got*.history.*.1": "tells the last address for all of them",
    "reported.*.name": "names a request by what was written, not by what was sent",
    "reported.*.url": "tells what was written, not what was sent",
    "counted*": "counts by that name",
    "seen.*.headers.content-length": "tells no length of a body that there is not",
    "seen.*.headers.content-type": "names a type for each body, and a charset",
}

FLEET: Differences = {"seen.*.headers.user-agent": "names itself"}

FAILS = {"raised": False, "reported.0.failed": True, "got": 0}
SAYS_SO = {"raised": True, "reported": []}
# What ours does where anything may differ from HttpUser.
OURS: Mapping[str, Mapping[str, object]] = {
    "answer_early_hints": {"got.0.status": 200, "got.0.content": "final", "got.1": 200},
    "answer_same_length": {"got.0.status": 0, "reported.0.failed": True, "got.1": 200},
    "auth_by_digest": FAILS,
    "broken_request_raises_when_asked": {"got.0": 0, "got.1": {}, "got.2": False},
    "headers_of_other_alphabets_as_text": FAILS,
    "hook_of_a_response": SAYS_SO,
    "method_of_other_letters": FAILS,
    "method_that_is_no_word": FAILS,
    "params_of_the_session": SAYS_SO,
    "redirect_of_a_generator": {"got.status": 0, "reported.0.failed": True},
    "redirect_to_a_file_of_this_machine": FAILS,
    "redirect_to_no_address": FAILS,
    "tls_of_a_missing_authority": FAILS,
}


@pytest.mark.parametrize("name", TABLE)
def test_fast_http_user_differs_from_http_user_as_the_table_says(
    outcomes: Outcomes, name: str
) -> None:
    expected, actual = outcomes.of("HttpUser", name), outcomes.of("FastHttpUser", name)

    assert not judge(expected, actual, TABLE[name].fast, FAST)


@pytest.mark.parametrize("name", TABLE)
def test_our_user_does_as_http_user_but_for_what_the_table_says(
    outcomes: Outcomes, name: str
) -> None:
    expected, actual = outcomes.of("HttpUser", name), outcomes.of("FleetHttpUser", name)

    assert not judge(expected, actual, TABLE[name].fleet, FLEET)


@pytest.mark.parametrize("name", [name for name, one in TABLE.items() if "*" in one.fleet])
def test_our_user_does_otherwise_as_the_table_says(outcomes: Outcomes, name: str) -> None:
    outcome = dict(leaves(outcomes.of("FleetHttpUser", name)))

    assert {path: outcome.get(path) for path in OURS[name]} == OURS[name]


@pytest.mark.parametrize("name", TABLE)
def test_every_failure_has_a_reason(outcomes: Outcomes, name: str) -> None:
    reasons = {kind: outcomes.of(kind, name)["reasons"] for kind in KINDS}

    assert [kind for kind, all_of_them in reasons.items() if not all(all_of_them)] == []
