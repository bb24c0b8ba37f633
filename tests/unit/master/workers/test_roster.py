"""Whoever vanishes is missed until somebody takes the place; whoever says goodbye is not."""

from locust_fleet.master.workers.roster import Roster


def attended(*looks: set[str]) -> Roster:
    attendance = Roster()
    for look in looks:
        attendance.look(look)
    return attendance


def numbers(attendance: Roster) -> tuple[int, int, int]:
    return attendance.connected, attendance.missing, attendance.expected


def test_workers_that_come_are_connected_and_expected() -> None:
    assert numbers(attended({"a", "b"})) == (2, 0, 2)


def test_a_worker_that_vanishes_is_missing_and_still_expected() -> None:
    attendance = attended({"a", "b"}, {"a"}, {"a"})

    assert numbers(attendance) == (1, 1, 2)
    assert attendance.disconnects == 1


def test_a_worker_that_says_goodbye_is_not_expected_any_more() -> None:
    attendance = attended({"a", "b"})

    attendance.hear("b", "quit")
    attendance.look({"a"})

    assert numbers(attendance) == (1, 0, 1)
    assert attendance.disconnects == 0


def test_a_newcomer_takes_the_place_of_a_missing_one() -> None:
    assert numbers(attended({"a", "b"}, {"a"}, {"a", "c"})) == (2, 0, 2)


def test_a_newcomer_in_the_moment_of_a_loss_takes_the_place() -> None:
    assert numbers(attended({"a", "b"}, {"a", "c"})) == (2, 0, 2)


def test_a_worker_that_returns_takes_its_own_place() -> None:
    assert numbers(attended({"a", "b", "c"}, {"a"}, {"a", "c"})) == (2, 1, 3)


def test_a_newcomer_beyond_the_missing_ones_is_expected_too() -> None:
    assert numbers(attended({"a", "b"}, {"a"}, {"a", "c", "d"})) == (3, 0, 3)


def test_who_is_forgotten_is_missing_no_more() -> None:
    attendance = attended({"a", "b"}, {"a"})

    attendance.forget_missing()

    assert numbers(attendance) == (1, 0, 1)
    assert attendance.disconnects == 1


def test_a_worker_that_stopped_its_users_and_is_ready_again_can_be_missed() -> None:
    attendance = attended({"a", "b"})

    attendance.hear("b", "client_stopped")
    attendance.hear("b", "client_ready")
    attendance.look({"a", "b"})
    attendance.look({"a"})

    assert numbers(attendance) == (1, 1, 2)


def test_a_worker_that_is_between_stopped_and_ready_is_not_missed() -> None:
    attendance = attended({"a", "b"})

    attendance.hear("b", "client_stopped")
    attendance.look({"a"})
    attendance.hear("b", "client_ready")
    attendance.look({"a", "b"})

    assert numbers(attendance) == (2, 0, 2)
    assert attendance.disconnects == 0


def test_a_worker_that_left_while_no_master_was_there_is_missed() -> None:
    attendance = Roster()

    attendance.recall({"a", "b"})
    attendance.look({"a"})

    assert numbers(attendance) == (1, 1, 2)
