"""A new worker is judged by its share of the users and by its first requests."""

from typing import Any

import pytest

from locust_fleet.cli.canary import (
    FIRST_REQUESTS,
    FIRST_REQUESTS_TIMEOUT_S,
    PROGRESS_TIMEOUT_S,
    Canary,
    CanaryVerdict,
    allowed_failure_ratio,
)


def worker(name: str, users: int, requests: int = 0, failures: int = 0) -> dict[str, Any]:
    return {
        "id": f"{name}_0123",
        "state": "running",
        "users": users,
        "planned": 10,
        "requests": requests,
        "failures": failures,
    }


def fleet(*workers: dict[str, Any], state: str = "running") -> dict[str, Any]:
    users = sum(each["users"] for each in workers)
    return {"state": state, "users": users, "worker_list": list(workers)}


def old(requests: int = 1000, failures: int = 0) -> dict[str, Any]:
    return worker("old", 10, requests, failures)


def test_it_passes_with_its_share_of_the_users_and_enough_good_requests() -> None:
    canary = Canary("new")

    assert canary.judge(fleet(old(), worker("new", 10, FIRST_REQUESTS)), 0) is CanaryVerdict.FIT
    assert canary.reason == "10 users; 0 of its first 20 requests failed"


def test_it_waits_for_its_share_of_the_users() -> None:
    canary = Canary("new")

    assert canary.judge(fleet(worker("old", 17), worker("new", 3, 100)), 0) is CanaryVerdict.WAIT
    assert canary.reason == "it has 3 users of about 9"


def test_it_waits_for_the_users_of_the_one_that_left_before() -> None:
    canary = Canary("new")

    assert canary.judge(fleet(worker("old", 5), worker("new", 10, 100)), 0) is CanaryVerdict.WAIT
    assert canary.reason == "15 of 20 users run"


def test_in_a_ramp_up_its_share_is_that_of_the_users_there_are() -> None:
    canary = Canary("new")
    ramp = fleet(worker("old", 3), worker("new", 3, FIRST_REQUESTS), state="spawning")

    assert canary.judge(ramp, 0) is CanaryVerdict.FIT


def test_without_a_run_it_passes_as_soon_as_it_appears() -> None:
    canary = Canary("new")

    assert canary.judge(fleet(worker("old", 0), state="ready"), 0) is CanaryVerdict.WAIT
    assert (
        canary.judge(fleet(worker("old", 0), worker("new", 0), state="ready"), 1)
        is CanaryVerdict.FIT
    )


def test_a_slow_scenario_need_not_make_many_requests() -> None:
    canary = Canary("new")
    slow = fleet(worker("old", 10, 5), worker("new", 10, 1))

    assert canary.judge(slow, 0) is CanaryVerdict.WAIT
    assert canary.judge(slow, FIRST_REQUESTS_TIMEOUT_S) is CanaryVerdict.FIT


def test_one_that_makes_no_requests_while_the_others_do_is_unfit() -> None:
    canary = Canary("new")

    canary.judge(fleet(old(1000), worker("new", 10)), 0)

    assert (
        canary.judge(fleet(old(1100), worker("new", 10)), FIRST_REQUESTS_TIMEOUT_S)
        is CanaryVerdict.UNFIT
    )
    assert canary.reason == "its 10 users make no requests, those of the others do"


def test_one_whose_requests_fail_is_unfit_before_it_has_its_share() -> None:
    canary = Canary("new")

    canary.judge(fleet(old(1000), worker("new", 0)), 0)

    assert canary.judge(fleet(old(1050), worker("new", 2, 8, 8)), 3) is CanaryVerdict.UNFIT
    assert canary.reason == "8 of its 8 requests failed, of the others' 0 of 50"


def test_a_target_that_begins_to_fail_is_not_held_against_it() -> None:
    """Before, nothing failed; so only what happens in the same time tells the two apart."""
    canary = Canary("new")

    canary.judge(fleet(old(100_000, 0), worker("new", 10)), 0)

    failing = fleet(old(100_040, 38), worker("new", 10, 40, 39))
    assert canary.judge(failing, 3) is CanaryVerdict.FIT


def test_a_master_that_counts_from_zero_does_not_mislead_it() -> None:
    canary = Canary("new")

    canary.judge(fleet(old(100_000, 0), worker("new", 10)), 0)

    assert canary.judge(fleet(old(40, 40), worker("new", 10, 40, 40)), 3) is CanaryVerdict.FIT


@pytest.mark.parametrize(
    ("others", "requests", "share"), [(0, 20, 0.1), (0.5, 100, 0.75), (0.05, 20, 0.3), (1, 20, 1.1)]
)
def test_chance_is_allowed_for(others: float, requests: int, share: float) -> None:
    assert allowed_failure_ratio(others, requests) == pytest.approx(share, abs=0.01)


def test_one_that_does_not_appear_is_unfit_after_a_while() -> None:
    canary = Canary("new")
    looks = [
        canary.judge(fleet(old()), at) for at in (0, PROGRESS_TIMEOUT_S, PROGRESS_TIMEOUT_S + 1)
    ]

    assert looks == [CanaryVerdict.WAIT, CanaryVerdict.WAIT, CanaryVerdict.UNFIT]
    assert canary.reason == "it does not appear at the master"


def test_it_may_take_long_as_long_as_users_come() -> None:
    """At a spawn rate of a user a minute its share takes hours."""
    canary = Canary("new")
    looks = [
        canary.judge(fleet(worker("old", 20 - users), worker("new", users)), users * 60)
        for users in range(8)
    ]

    assert set(looks) == {CanaryVerdict.WAIT}


def test_a_master_that_does_not_answer_is_waited_for() -> None:
    canary = Canary("new")

    assert canary.judge(None, 0) is CanaryVerdict.WAIT
    assert canary.judge(fleet(old(), worker("new", 10, FIRST_REQUESTS)), 5) is CanaryVerdict.FIT
