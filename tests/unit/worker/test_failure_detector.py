"""A worker tells a leader that says nothing from its own pause."""

from locust_fleet.worker.failure_detector import FailureDetector

LOOK_S = 0.25


def look(silence: FailureDetector, start: float, end: float) -> None:
    """Look all the time from start to end."""
    for step in range(round((end - start) / LOOK_S)):
        silence.look(start + (step + 1) * LOOK_S)


def test_silence_lasts_from_the_last_word() -> None:
    silence = FailureDetector(LOOK_S, 0)
    look(silence, 0, 5)
    silence.hear()
    look(silence, 5, 7)

    assert silence.since_heard_s == 2


def test_a_worker_that_hung_for_long_does_not_blame_the_leader() -> None:
    silence = FailureDetector(LOOK_S, 0)
    look(silence, 0, 1)

    silence.look(21)

    assert silence.since_heard_s <= 1.5


def test_a_worker_that_is_always_late_notices_silence_all_the_same() -> None:
    silence = FailureDetector(LOOK_S, 0)
    for late in range(60):
        silence.look(late * 1.0)

    assert silence.since_heard_s > 25


def test_a_new_connection_gets_time_to_answer_without_ending_the_silence() -> None:
    silence = FailureDetector(LOOK_S, 0)
    look(silence, 0, 3)

    silence.renew()
    look(silence, 3, 4)

    assert (silence.since_heard_s, silence.since_fresh_s) == (4, 1)


def test_a_leader_that_said_goodbye_is_gone_without_a_long_silence() -> None:
    silence = FailureDetector(LOOK_S, 0)
    look(silence, 0, 1)

    silence.leave()
    silence.renew()
    look(silence, 1, 2)

    assert silence.lasts(patience_s=2.5)
    assert (silence.since_heard_s, silence.since_fresh_s) == (2, 1)
    silence.hear()
    assert not silence.lasts(patience_s=2.5)
