"""What may be lost with a worker is bounded by its busiest report and its requests in flight."""

from typing import Any

from locust_fleet.master.workers.loss_bound import LossBound


def report(users: int, *requests: int) -> dict[str, Any]:
    return {"user_count": users, "stats": [{"num_requests": number} for number in requests]}


def test_a_worker_may_lose_an_interval_and_its_requests_in_flight() -> None:
    losses = LossBound(3.0, 5.0)
    losses.note_report("w1", report(10, 60, 40))
    losses.note_report("w1", report(10, 50, 30))

    assert losses.bound("w1") == {"worker": "w1", "users": 10, "seconds": 3.0, "requests": 135}


def test_users_that_joined_count_as_much_as_the_others() -> None:
    losses = LossBound(3.0, 5.0)
    losses.note_report("w1", report(10, 100))
    losses.note_report("w1", report(20, 110))

    assert losses.bound("w1")["requests"] == 20 + 250


def test_requests_of_users_that_stopped_are_theirs() -> None:
    losses = LossBound(3.0, 5.0)
    losses.note_report("w1", report(10, 100))
    losses.note_report("w1", report(1, 100))

    assert losses.bound("w1")["requests"] == 1 + 12


def test_a_worker_without_a_report_counts_its_assigned_users_at_the_rate_of_others() -> None:
    losses = LossBound(3.0, 5.0)
    losses.assign({"w1": 10, "w2": 10})
    losses.note_report("w2", report(10, 80))

    assert losses.bound("w1") == {"worker": "w1", "users": 10, "seconds": 3.0, "requests": 110}


def test_a_first_report_of_less_than_an_interval_does_not_count_as_a_slow_one() -> None:
    losses = LossBound(3.0, 5.0)
    losses.note_report("w1", report(10, 5))
    losses.note_report("w2", report(10, 80))

    assert losses.bound("w1")["requests"] == 10 + 100


def test_users_assigned_since_the_last_report_count() -> None:
    losses = LossBound(3.0, 5.0)
    losses.note_report("w1", report(10, 80))
    losses.assign({"w1": 20})

    assert losses.bound("w1")["requests"] == 20 + 200


def test_without_any_report_the_number_of_requests_is_unknown() -> None:
    losses = LossBound(3.0, 5.0)
    losses.assign({"w1": 10})

    assert losses.bound("w1")["requests"] is None


def test_a_worker_without_users_has_nothing_to_lose() -> None:
    assert LossBound(3.0, 5.0).bound("w1")["requests"] == 0


def test_the_next_leader_has_the_same_bound() -> None:
    losses, next_leader = LossBound(3.0, 5.0), LossBound(3.0, 5.0)
    losses.assign({"w1": 20})
    losses.note_report("w1", report(10, 80))

    next_leader.load(losses.dump())

    assert next_leader.bound("w1") == losses.bound("w1")


def test_the_run_before_does_not_count() -> None:
    losses = LossBound(3.0, 5.0)
    losses.note_report("w1", report(10, 100))
    losses.start_run()

    assert losses.bound("w1")["requests"] == 0


def test_reports_that_a_worker_kept_without_a_leader_count_as_well() -> None:
    seconds = 1000.0
    first = LossBound(3.0, 5.0, lambda: seconds)
    first.assign({"w1": 10})
    first.note_report("w1", report(10, 100))
    memory = first.dump()
    seconds += 65

    following = LossBound(3.0, 5.0, lambda: seconds)
    following.load(memory)

    assert following.bound("w1") == {
        "worker": "w1",
        "users": 10,
        "seconds": 60.0,
        "requests": 10 + 2500,
    }
