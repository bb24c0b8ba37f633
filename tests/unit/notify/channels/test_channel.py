"""One message, or one channel, that breaks does not hold up the others."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from locust_fleet.notify.channels.channel import attempt
from locust_fleet.notify.channels.delivery_result import Answer, Result
from locust_fleet.notify.message import Message

MESSAGE = Message("A", "info", "started", "A run", datetime(2026, 1, 2, tzinfo=UTC), "t")


@dataclass(frozen=True)
class Broken:
    """A channel such as e-mail with a password that its library cannot send."""

    name: str = "broken"
    spacing_s: float = 1.0

    def send(self, message: Message) -> Answer:
        raise UnicodeEncodeError("ascii", "secret", 0, 6, "ordinal not in range")


def test_a_channel_that_raises_has_refused_the_message() -> None:
    answer = attempt(Broken(), MESSAGE)

    assert answer.result is Result.REFUSED
    assert answer.text == "UnicodeEncodeError; see the log of the notifier"


def test_a_message_of_a_later_version_is_read_without_what_is_new() -> None:
    content = {**MESSAGE.to_json(), "mood": "good"}

    assert Message.from_json(UUID(int=1), "t", content).summary == "A run"
