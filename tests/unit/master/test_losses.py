"""What may be lost with a worker is bounded by its busiest report and its requests in flight."""

from typing import Any

from locust_fleet.master.losses import Losses


def report(users: int, *requests: int) -> dict[str, Any]:
    return {"user_count": users, "stats": [{"num_requests": number} for number in requests]}


def test_a_steady_worker_may_lose_an_interval_and_what_its_users_wait_for() -> None:
    losses = Losses(3.0)
    losses.hear("w1", report(10, 60, 40))
    losses.hear("w1", report(10, 50, 30))

    assert losses.bound("w1") == {"worker": "w1", "users": 10, "seconds": 3.0, "requests": 135}


def test_users_that_joined_count_as_much_as_the_others() -> None:
    losses = Losses(3.0)
    losses.hear("w1", report(10, 100))
    losses.hear("w1", report(20, 110))

    assert losses.bound("w1")["requests"] == 20 + 250


def test_requests_of_users_that_stopped_are_theirs() -> None:
    losses = Losses(3.0)
    losses.hear("w1", report(10, 100))
    losses.hear("w1", report(1, 100))

    assert losses.bound("w1")["requests"] == 1 + 12


def test_of_a_worker_that_reported_nothing_nothing_is_known() -> None:
    assert Losses(3.0).bound("w1")["requests"] == 0


def test_the_run_before_does_not_count() -> None:
    losses = Losses(3.0)
    losses.hear("w1", report(10, 100))
    losses.start_run()

    assert losses.bound("w1")["requests"] == 0
