"""What a channel is, and the channels that the settings ask for."""

from __future__ import annotations

import logging
from typing import Protocol

from locust_fleet.notify.channels.delivery_result import Answer, Result
from locust_fleet.notify.channels.dingtalk import DingTalk
from locust_fleet.notify.channels.email import Email
from locust_fleet.notify.channels.feishu import Feishu
from locust_fleet.notify.channels.slack import Slack
from locust_fleet.notify.channels.webhook import Webhook
from locust_fleet.notify.message import Message
from locust_fleet.settings.notifier import ChannelSettings

logger = logging.getLogger(__name__)


class Channel(Protocol):
    """A way to reach people; ``spacing_s`` is the least pause between two messages, in seconds."""

    @property
    def name(self) -> str: ...

    @property
    def spacing_s(self) -> float: ...

    def send(self, message: Message) -> Answer:
        """Try to deliver a message once, within a minute; never raises."""
        ...


def attempt(channel: Channel, message: Message) -> Answer:
    """Try once. An exception counts as a refusal, so that later messages are not blocked."""
    try:
        return channel.send(message)
    except Exception as error:  # whatever it is, the channel goes on; logged below
        logger.exception("%s failed with an exception on %s", channel.name, message.id)
        return Answer(Result.REFUSED, f"{type(error).__name__}; see the log of the notifier")


def build(settings: ChannelSettings) -> list[Channel]:
    """Return the channels in use, in the order of NOTIFY_CHANNELS."""
    return [_build(name, settings) for name in settings.names]


def _build(name: str, settings: ChannelSettings) -> Channel:
    public_url = settings.public_url
    match name:
        case "slack":
            return Slack(settings.urls[name], public_url)
        case "dingtalk":
            return DingTalk(settings.urls[name], settings.dingtalk_secret, public_url)
        case "feishu":
            return Feishu(settings.urls[name], settings.feishu_secret, public_url)
        case "webhook":
            return Webhook(settings.urls[name], settings.webhook_secret, public_url)
        case _:
            assert settings.smtp is not None
            return Email(settings.smtp, public_url)
