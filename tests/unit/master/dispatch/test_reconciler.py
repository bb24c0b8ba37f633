"""A worker that runs something else than it was told is told again, but not for ever."""

from locust_fleet.master.dispatch.reconciler import REPORT_TIMEOUT_S, Reconciler

SOON, LATE = REPORT_TIMEOUT_S - 1, REPORT_TIMEOUT_S + 1


def test_a_worker_that_runs_its_assignment_gets_no_repeat() -> None:
    reconciler = Reconciler()

    assert [reconciler.check({"a": 5}, {"a": 5}, 0, now) for now in (0, LATE)] == [[], []]


def test_a_worker_with_too_few_users_gets_one_repeat() -> None:
    reconciler = Reconciler()

    looks = [reconciler.check({"a": 5}, {"a": 3}, 60, now) for now in (0, SOON, LATE, 3 * LATE)]

    assert looks == [[], [], ["a"], []]


def test_a_new_assignment_may_be_repeated_again() -> None:
    reconciler = Reconciler()
    for now in (0, LATE):
        reconciler.check({"a": 5}, {"a": 3}, 0, now)

    looks = [reconciler.check({"a": 6}, {"a": 3}, 0, now) for now in (2 * LATE, 3 * LATE)]

    assert looks == [[], ["a"]]


def test_users_that_end_by_themselves_are_not_started_over_and_over() -> None:
    reconciler = Reconciler()
    looks = [reconciler.check({"a": 5}, {"a": 4}, 0, now) for now in (0, LATE)]
    reconciler.check({"a": 5}, {"a": 5}, 0, LATE + 1)

    again = [reconciler.check({"a": 5}, {"a": 3}, 0, now) for now in (2 * LATE, 4 * LATE)]

    assert (looks, again) == ([[], ["a"]], [[], []])


def test_a_worker_with_too_many_users_gets_a_repeat_after_the_stop_timeout() -> None:
    reconciler = Reconciler()

    times = (0, LATE, 60 + SOON, 60 + LATE, 60 + 2 * LATE, 2 * (60 + LATE))
    looks = [reconciler.check({"a": 5}, {"a": 9}, 60, now) for now in times]

    assert looks == [[], [], [], ["a"], [], ["a"]]
