"""Whoever vanishes is missed until somebody takes the place; whoever says goodbye is not."""

from locust_fleet.master.workers.roster import Roster


def attended(*looks: set[str]) -> Roster:
    roster = Roster()
    for update in looks:
        roster.update(update)
    return roster


def numbers(roster: Roster) -> tuple[int, int, int]:
    return roster.connected, roster.missing, roster.expected


def test_workers_that_come_are_connected_and_expected() -> None:
    assert numbers(attended({"a", "b"})) == (2, 0, 2)


def test_a_worker_that_vanishes_is_missing_and_still_expected() -> None:
    roster = attended({"a", "b"}, {"a"}, {"a"})

    assert numbers(roster) == (1, 1, 2)
    assert roster.disconnects == 1


def test_a_worker_that_says_goodbye_is_not_expected_any_more() -> None:
    roster = attended({"a", "b"})

    roster.note_message("b", "quit")
    roster.update({"a"})

    assert numbers(roster) == (1, 0, 1)
    assert roster.disconnects == 0


def test_a_newcomer_takes_the_place_of_a_missing_one() -> None:
    assert numbers(attended({"a", "b"}, {"a"}, {"a", "c"})) == (2, 0, 2)


def test_a_newcomer_in_the_moment_of_a_loss_takes_the_place() -> None:
    assert numbers(attended({"a", "b"}, {"a", "c"})) == (2, 0, 2)


def test_a_worker_that_returns_takes_its_own_place() -> None:
    assert numbers(attended({"a", "b", "c"}, {"a"}, {"a", "c"})) == (2, 1, 3)


def test_a_newcomer_beyond_the_missing_ones_is_expected_too() -> None:
    assert numbers(attended({"a", "b"}, {"a"}, {"a", "c", "d"})) == (3, 0, 3)


def test_a_forgotten_worker_is_not_missing() -> None:
    roster = attended({"a", "b"}, {"a"})

    roster.forget_missing()

    assert numbers(roster) == (1, 0, 1)
    assert roster.disconnects == 1


def test_a_worker_that_stopped_its_users_and_is_ready_again_can_be_missed() -> None:
    roster = attended({"a", "b"})

    roster.note_message("b", "client_stopped")
    roster.note_message("b", "client_ready")
    roster.update({"a", "b"})
    roster.update({"a"})

    assert numbers(roster) == (1, 1, 2)


def test_a_worker_that_is_between_stopped_and_ready_is_not_missed() -> None:
    roster = attended({"a", "b"})

    roster.note_message("b", "client_stopped")
    roster.update({"a"})
    roster.note_message("b", "client_ready")
    roster.update({"a", "b"})

    assert numbers(roster) == (2, 0, 2)
    assert roster.disconnects == 0


def test_a_worker_that_left_while_there_was_no_master_is_missing() -> None:
    roster = Roster()

    roster.expect({"a", "b"})
    roster.update({"a"})

    assert numbers(roster) == (1, 1, 2)
