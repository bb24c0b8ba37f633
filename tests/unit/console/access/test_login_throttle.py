import pytest

from locust_fleet.console.access.login_throttle import (
    ACCOUNT_PAUSES_S,
    ADDRESS_PAUSES_S,
    FORGET_AFTER_S,
    MOST_COUNTERS,
    FailedLogins,
    pause_s,
)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


ADA = {"ada": ACCOUNT_PAUSES_S}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.mark.parametrize(
    ("attempts", "pause"), [(0, 0), (2, 0), (3, 1), (4, 2), (8, 32), (9, 60), (10, 60), (10**6, 60)]
)
def test_the_pause_doubles_up_to_a_minute(attempts: int, pause: int) -> None:
    assert pause_s(attempts, ACCOUNT_PAUSES_S) == pause


def test_an_address_has_more_tries_than_an_account() -> None:
    assert [pause_s(n, ADDRESS_PAUSES_S) for n in (9, 10, 11, 17, 99)] == [0, 1, 2, 4, 4]


def test_attempts_go_ahead_until_a_pause_begins(clock: Clock) -> None:
    memory = FailedLogins(clock)

    assert [memory.attempt(ADA) for _ in range(4)] == [0, 0, 0, 1]


def test_trying_during_a_pause_does_not_lengthen_it(clock: Clock) -> None:
    memory = FailedLogins(clock)
    for _ in range(3):
        memory.attempt(ADA)
    clock.now += 0.6

    left = [memory.attempt(ADA) for _ in range(20)]
    clock.now += 0.4

    assert left == pytest.approx([0.4] * 20)
    assert memory.attempt(ADA) == 0
    assert memory.attempt(ADA) == 2


def test_the_longer_of_two_pauses_counts_and_a_refused_attempt_is_not_counted(
    clock: Clock,
) -> None:
    memory = FailedLogins(clock)
    for _ in range(3):
        memory.attempt(ADA)

    assert memory.attempt({**ADA, "address": ADDRESS_PAUSES_S}) == 1
    clock.now += 1
    assert memory.attempt({"address": ADDRESS_PAUSES_S}) == 0


def test_failures_are_forgotten_after_a_while(clock: Clock) -> None:
    memory = FailedLogins(clock)
    for _ in range(3):
        memory.attempt(ADA)

    clock.now += FORGET_AFTER_S + 1

    assert [memory.attempt(ADA) for _ in range(4)] == [0, 0, 0, 1]


def test_a_success_clears_the_account(clock: Clock) -> None:
    memory = FailedLogins(clock)
    for _ in range(3):
        memory.attempt(ADA)

    memory.clear("ada")

    assert memory.attempt(ADA) == 0


def test_uncounting_takes_one_attempt_away(clock: Clock) -> None:
    memory = FailedLogins(clock)
    for _ in range(3):
        memory.attempt(ADA)

    memory.uncount("ada")
    memory.uncount("nobody")

    assert [memory.attempt(ADA) for _ in range(2)] == [0, 1]


def test_many_made_up_names_do_not_fill_the_memory(clock: Clock) -> None:
    memory = FailedLogins(clock)

    for number in range(MOST_COUNTERS + 1):
        clock.now += 0.001
        memory.attempt({str(number): ACCOUNT_PAUSES_S})

    assert len(memory._counts) <= MOST_COUNTERS
    assert str(MOST_COUNTERS) in memory._counts
