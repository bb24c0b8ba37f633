"""A scenario does the same with each user, but for the differences that the table explains."""

from __future__ import annotations

import pytest

from tests.integration.users import scenarios
from tests.integration.users.compare import judge
from tests.integration.users.conftest import KINDS, Outcomes
from tests.integration.users.table import TABLE, Differences

pytestmark = pytest.mark.xdist_group("users")

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


@pytest.mark.parametrize("kind", KINDS)
def test_every_failure_has_a_reason(outcomes: Outcomes, kind: str) -> None:
    reasons = {name: outcomes.of(kind, name)["reasons"] for name in TABLE}

    assert [name for name, all_of_them in reasons.items() if not all(all_of_them)] == []
