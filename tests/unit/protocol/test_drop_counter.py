"""Messages that are dropped are counted, and said once for each cause and minute."""

from locust.rpc import Message

import logging

import pytest

from locust_fleet.protocol.drop_counter import LINE_EVERY_S, DropCounter
from locust_fleet.protocol.message_validation import Cause


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def dropped(clock: Clock) -> DropCounter:
    return DropCounter(clock)


def test_each_message_is_counted_by_its_cause(dropped: DropCounter) -> None:
    for cause in (Cause.BYTES, Cause.BYTES, Cause.SENDER):
        dropped.note(cause, "from somebody")

    assert (dropped.counts[Cause.BYTES], dropped.counts[Cause.SENDER]) == (2, 1)
    assert 'messages_dropped_total{cause="bytes"} 2.0' in dropped.render("messages_dropped_total")


def test_a_cause_is_logged_once_in_a_minute(
    dropped: DropCounter, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(20):
        dropped.note(Cause.BYTES, "from somebody")
    dropped.note(Cause.SENDER, "from another")
    clock.now += LINE_EVERY_S
    dropped.note(Cause.BYTES, "from somebody")

    lines = [record.getMessage() for record in caplog.records]
    assert [line.partition(":")[0] for line in lines] == [
        "a message is dropped (bytes; 1 so far)",
        "a message is dropped (sender; 1 so far)",
        "a message is dropped (bytes; 21 so far)",
    ]


def test_a_message_whose_handler_fails_ends_nothing(
    dropped: DropCounter, caplog: pytest.LogCaptureFixture
) -> None:
    def forward(_: Message) -> None:
        raise KeyError("Nope")

    dropped.handle(Message("update_user_class", None, "w1"), forward)

    assert dropped.counts[Cause.FAILED] == 1
    assert "update_user_class" in caplog.text
    assert "Traceback" in caplog.text


def test_a_process_that_is_to_end_is_not_kept_alive(dropped: DropCounter) -> None:
    def forward(_: Message) -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        dropped.handle(Message("quit", None, "w1"), forward)


def test_nothing_is_logged_before_something_is_dropped(
    dropped: DropCounter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    dropped.handle(Message("ack", None, "w1"), lambda message: None)

    assert not caplog.records
