"""Who may start or change a run, and where to."""

import math
from datetime import UTC, datetime

import pytest

from locust_fleet.master.admission.start_rules import (
    Refusal,
    refuse_host_of_class,
    refuse_hosts,
    refuse_numbers,
    refuse_start,
)
from locust_fleet.master.results.run import Run
from locust_fleet.policy.allowlist import Allowlist

SHOP = "http://shop.example"
TARGETS = Allowlist.parse([SHOP])
ALICES = Run(
    id="20261121-100000-abcd",
    name="",
    started_by="alice",
    locustfile="demo_shop.py",
    host=SHOP,
    users=10,
    spawn_rate=1,
    run_time_s=60,
    started_at=datetime(2026, 11, 21, 10, tzinfo=UTC),
)


def start(
    *,
    user: str = "alice",
    host: str | None = SHOP,
    active: Run | None = None,
    stopping: bool = False,
    only_new: bool = False,
    workers: int = 3,
) -> Refusal | None:
    return refuse_start(
        user=user,
        host=host,
        hosts=[host],
        active=active,
        stopping=stopping,
        only_new=only_new,
        workers=workers,
        allowlist=TARGETS,
    )


def test_a_start_against_an_allowed_target_is_allowed() -> None:
    assert start() is None


def test_a_start_against_another_target_is_refused() -> None:
    refusal = start(host="http://evil.example")

    assert refusal is not None
    assert refusal.code == "target_refused"


def test_a_start_without_workers_is_refused() -> None:
    refusal = start(workers=0)

    assert refusal is not None
    assert refusal.code == "no_workers"


def test_a_second_start_is_refused_with_the_name_of_who_runs_what() -> None:
    refusal = start(user="bob", active=ALICES)

    assert refusal is not None
    assert "alice runs demo_shop.py against http://shop.example since 10:00:00" in refusal.message


def test_the_person_who_started_a_run_may_change_its_users() -> None:
    assert start(active=ALICES) is None


def test_a_request_for_a_new_run_does_not_change_the_present_one() -> None:
    assert start(active=ALICES, only_new=True) is not None


def test_nobody_may_change_the_host_of_a_run() -> None:
    refusal = start(active=ALICES, host="http://demo-target:8000")

    assert refusal is not None
    assert "host cannot change" in refusal.message


def test_a_user_class_cannot_be_sent_elsewhere() -> None:
    assert refuse_host_of_class("http://evil.example", None, None, TARGETS) is not None


def test_a_user_class_cannot_be_sent_elsewhere_in_a_run_even_to_an_allowed_target() -> None:
    assert refuse_host_of_class(SHOP, None, ALICES, TARGETS) is not None


@pytest.mark.parametrize("host", [None, SHOP])
def test_a_user_class_keeps_its_host_in_a_run(host: str | None) -> None:
    assert refuse_host_of_class(host, host, ALICES, TARGETS) is None


def test_the_host_of_a_user_class_cannot_be_removed_in_a_run() -> None:
    assert refuse_host_of_class(None, SHOP, ALICES, TARGETS) is not None


def test_a_run_that_is_stopping_is_not_changed_by_an_impatient_start() -> None:
    refusal = start(active=ALICES, stopping=True)

    assert refusal is not None
    assert "is stopping" in refusal.message


@pytest.mark.parametrize(
    ("users", "spawn_rate"),
    [
        (10_000_001, 1),
        (-1, 1),
        (math.nan, 1),
        (math.inf, 1),
        (1, 0),
        (1, -1),
        (1, 1e-9),
        (1, math.nan),
        (1, math.inf),
    ],
)
def test_numbers_that_no_run_can_have_are_refused(users: float, spawn_rate: float) -> None:
    assert refuse_numbers(users, spawn_rate) is not None


@pytest.mark.parametrize("users", [0, 1000, 2.5, 10_000_000])
def test_numbers_of_a_run_are_not_refused(users: float) -> None:
    assert refuse_numbers(users, 0.5) is None


def test_one_wrong_host_among_the_users_is_enough() -> None:
    assert refuse_hosts([SHOP, "http://evil.example"], TARGETS) is not None


def test_users_without_a_host_are_no_reason_to_refuse() -> None:
    assert refuse_hosts([None], TARGETS) is None
