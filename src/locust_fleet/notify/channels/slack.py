"""Slack: an incoming webhook.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from locust_fleet.notify.channels.delivery_result import Answer
from locust_fleet.notify.channels.http import NoAnswer, judge, later, post_json
from locust_fleet.notify.channels.message_card import Card, card_of
from locust_fleet.notify.message import Message

COLOURS = {"red": "#d32f2f", "orange": "#f57c00", "blue": "#1976d2", "green": "#2e7d32"}


@dataclass(frozen=True)
class Slack:
    """An incoming webhook. Its limit is one message a second; beyond it sends Retry-After."""

    url: str
    public_url: str
    name: str = "slack"
    spacing_s: float = 1.0

    def send(self, message: Message) -> Answer:
        """Try to deliver a message once; never raises."""
        try:
            return judge(post_json(self.url, payload(card_of(message, self.public_url))))
        except NoAnswer as error:
            return later(error)


def payload(card: Card) -> dict[str, Any]:
    """Return the body of the request for a card: only an attachment can have a colour."""
    blocks: list[dict[str, Any]] = [_section(f"*{plain(card.title)}*")]
    if card.text:
        blocks.append(_section(plain(card.text)))
    if card.fields:
        fields = [_markdown(f"*{plain(name)}*\n{plain(value)}") for name, value in card.fields]
        blocks.append({"type": "section", "fields": fields})
    if card.links:
        links = " · ".join(f"<{plain(url)}|{plain(name)}>" for name, url in card.links)
        blocks.append(_section(links))
    blocks.append({"type": "context", "elements": [_markdown(plain(card.footer))]})
    return {
        "text": plain(card.title),
        "attachments": [
            {"color": COLOURS[card.colour], "fallback": plain(card.title), "blocks": blocks}
        ],
    }


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _markdown(text)}


def _markdown(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text}


def plain(text: str) -> str:
    """Escape what Slack would read as a link or as a mention of everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
