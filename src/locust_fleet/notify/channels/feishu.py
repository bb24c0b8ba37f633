"""Feishu (Lark): a custom bot with a signing secret.

It answers HTTP 200 even when it refuses; ``code`` in the body tells.
https://open.feishu.cn/document/client-docs/bot-v3/add-custom-bot
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from dataclasses import dataclass
from typing import Any

from locust_fleet.notify.channels.delivery_result import Answer, Result
from locust_fleet.notify.channels.http import NoAnswer, Reply, judge, later, post_json
from locust_fleet.notify.channels.message_card import Card, card_of
from locust_fleet.notify.message import Message

COLOURS = {"red": "red", "orange": "orange", "blue": "blue", "green": "green"}
# Codes of its two API generations for "too many messages".
TOO_MANY = (9499, 11232, 11233)
TOO_MANY_PAUSE_S = 5.0


@dataclass(frozen=True)
class Feishu:
    """A bot. Its limits are 5 messages a second and 100 a minute; the second one is lower."""

    url: str
    secret: str
    public_url: str
    name: str = "feishu"
    spacing_s: float = 0.62

    def send(self, message: Message) -> Answer:
        """Try to deliver a message once; never raises."""
        body = payload(card_of(message, self.public_url))
        try:
            return read(post_json(self.url, signed(body, self.secret, round(time.time()))))
        except NoAnswer as error:
            return later(error)


def signed(body: dict[str, Any], secret: str, timestamp_s: int) -> dict[str, Any]:
    """Return the body with time and signature; unchanged without a secret.

    Feishu uses time and secret as the key of the HMAC, and signs an empty text.
    """
    if not secret:
        return body
    key = f"{timestamp_s}\n{secret}".encode()
    sign = base64.b64encode(hmac.new(key, b"", hashlib.sha256).digest()).decode()
    return {"timestamp": str(timestamp_s), "sign": sign, **body}


def read(reply: Reply) -> Answer:
    """Return what a reply of Feishu means."""
    body = reply.json()
    code = body.get("code", body.get("StatusCode"))
    by_status = judge(reply)
    if code in TOO_MANY:
        return Answer(Result.LATER, by_status.text, by_status.retry_after_s or TOO_MANY_PAUSE_S)
    if by_status.result is not Result.DELIVERED or code == 0:
        return by_status
    return Answer(Result.REFUSED if code is not None else Result.LATER, by_status.text)


def payload(card: Card) -> dict[str, Any]:
    """Return the body of the request for a card, in plain text, which cannot mention anybody."""
    elements: list[dict[str, Any]] = []
    if card.text:
        elements.append({"tag": "div", "text": _plain(card.text)})
    if card.fields:
        fields = [
            {"is_short": True, "text": _plain(f"{name}\n{value}")} for name, value in card.fields
        ]
        elements.append({"tag": "div", "fields": fields})
    if card.links:
        buttons = [
            {"tag": "button", "type": "default", "text": _plain(name), "url": url}
            for name, url in card.links
        ]
        elements.append({"tag": "action", "actions": buttons})
    elements.append({"tag": "note", "elements": [_plain(card.footer)]})
    return {
        "msg_type": "interactive",
        "card": {
            "header": {"title": _plain(card.title), "template": COLOURS[card.colour]},
            "elements": elements,
        },
    }


def _plain(text: str) -> dict[str, str]:
    return {"tag": "plain_text", "content": text}
