"""A worker tells a leader that says nothing from its own pause."""

from locust_fleet.worker.failure_detector import FailureDetector

TICK_S = 0.25


def tick(detector: FailureDetector, start: float, end: float) -> None:
    """Look all the time from start to end."""
    for step in range(round((end - start) / TICK_S)):
        detector.tick(start + (step + 1) * TICK_S)


def test_silence_counts_from_the_last_message() -> None:
    detector = FailureDetector(TICK_S, 0)
    tick(detector, 0, 5)
    detector.note_message()
    tick(detector, 5, 7)

    assert detector.since_heard_s == 2


def test_a_worker_that_hung_does_not_suspect_the_leader() -> None:
    detector = FailureDetector(TICK_S, 0)
    tick(detector, 0, 1)

    detector.tick(21)

    assert detector.since_heard_s <= 1.5


def test_a_worker_that_is_always_late_notices_silence_all_the_same() -> None:
    detector = FailureDetector(TICK_S, 0)
    for late in range(60):
        detector.tick(late * 1.0)

    assert detector.since_heard_s > 25


def test_a_new_connection_gets_time_to_answer_without_ending_the_silence() -> None:
    detector = FailureDetector(TICK_S, 0)
    tick(detector, 0, 3)

    detector.note_reconnect()
    tick(detector, 3, 4)

    assert (detector.since_heard_s, detector.since_fresh_s) == (4, 1)


def test_a_leader_that_said_goodbye_is_gone_without_a_long_silence() -> None:
    detector = FailureDetector(TICK_S, 0)
    tick(detector, 0, 1)

    detector.note_farewell()
    detector.note_reconnect()
    tick(detector, 1, 2)

    assert detector.suspects(timeout_s=2.5)
    assert (detector.since_heard_s, detector.since_fresh_s) == (2, 1)
    detector.note_message()
    assert not detector.suspects(timeout_s=2.5)
