"""What follows from a vendor's answer."""

import pytest

from locust_fleet.notify.backoff import (
    LONGEST_CHANNEL_PAUSE_S,
    LONGEST_MESSAGE_PAUSE_S,
    MOST_REFUSALS,
    Outcome,
    Tries,
    backoff_s,
    decide,
)
from locust_fleet.notify.channels.delivery_result import Answer, Result

FRESH = Tries(attempts=0, refusals=0, failures_in_row=0)
TAKEN = Answer(Result.DELIVERED, "ok")
BUSY = Answer(Result.LATER, "HTTP 500")
REFUSED = Answer(Result.REFUSED, "HTTP 404")


def test_pauses_double_up_to_the_longest() -> None:
    assert [backoff_s(failures, 10) for failures in (1, 2, 3, 4, 5)] == [1, 2, 4, 8, 10]


def test_a_pause_after_thousands_of_failures_is_a_number() -> None:
    assert backoff_s(100_000, LONGEST_MESSAGE_PAUSE_S) == LONGEST_MESSAGE_PAUSE_S


def test_an_accepted_message_is_done_and_the_channel_pauses_as_its_vendor_asks() -> None:
    assert decide(TAKEN, FRESH, 3.1) == Outcome("delivered", 0, 3.1)


def test_the_first_message_accepted_after_an_outage_makes_the_others_due() -> None:
    assert decide(TAKEN, Tries(4, 0, failures_in_row=3), 1).recovered


@pytest.mark.parametrize("attempts", [0, 10, 100_000])
def test_a_message_that_cannot_be_accepted_now_is_never_given_up(attempts: int) -> None:
    assert decide(BUSY, Tries(attempts, 0, attempts), 1).state == "pending"


def test_a_channel_that_is_away_is_asked_again_soon_however_long_it_was_away() -> None:
    then = decide(BUSY, Tries(1000, 0, 1000), 1)

    assert (then.message_pause_s, then.channel_pause_s) == (
        LONGEST_MESSAGE_PAUSE_S,
        LONGEST_CHANNEL_PAUSE_S,
    )


def test_a_channel_pauses_as_long_as_it_asks() -> None:
    then = decide(Answer(Result.LATER, "HTTP 429", retry_after_s=40), FRESH, 1)

    assert (then.message_pause_s, then.channel_pause_s) == (40, 40)


def test_a_channel_that_asks_for_a_year_gets_an_hour() -> None:
    assert decide(Answer(Result.LATER, "", 3e7), FRESH, 1).channel_pause_s == 3600


def test_a_refusal_does_not_keep_other_messages_waiting() -> None:
    assert decide(REFUSED, FRESH, 1).channel_pause_s == 1


def test_a_message_refused_again_and_again_is_kept_as_failed() -> None:
    states = [decide(REFUSED, Tries(n, n, 0), 1).state for n in range(MOST_REFUSALS)]

    assert states == ["pending"] * (MOST_REFUSALS - 1) + ["failed"]
