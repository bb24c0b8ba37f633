"""DingTalk: a custom robot with a signing secret.

It answers HTTP 200 even when it refuses; ``errcode`` in the body tells.
https://open.dingtalk.com/document/orgapp/custom-robots-send-group-messages
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

from locust_fleet.notify.channels.delivery_result import Answer, Result
from locust_fleet.notify.channels.http import NoAnswer, Reply, judge, later, post_json
from locust_fleet.notify.channels.message_card import Card, card_of
from locust_fleet.notify.message import Message

COLOURS = {"red": "#d32f2f", "orange": "#f57c00", "blue": "#1976d2", "green": "#2e7d32"}
# Codes for "busy", and several for "too many messages".
RETRYABLE = (-1, 88, 130101, 130102, 302033, 410100)
# Beyond its limit it accepts nothing for minutes.
TOO_MANY = (88, 130101, 130102, 302033, 410100)
TOO_MANY_PAUSE_S = 60.0
# Characters with a meaning in Markdown; a backslash before them takes it away.
MARKDOWN_CHARACTERS = "\\`*_{}[]<>#+!|~"


@dataclass(frozen=True)
class DingTalk:
    """A robot. Its limit is 20 messages a minute; the spacing stays a little below."""

    url: str
    secret: str
    public_url: str
    name: str = "dingtalk"
    spacing_s: float = 3.1

    def send(self, message: Message) -> Answer:
        """Try to deliver a message once; never raises."""
        url = signed(self.url, self.secret, round(time.time() * 1000))
        try:
            return read(post_json(url, payload(card_of(message, self.public_url))))
        except NoAnswer as error:
            return later(error)


def signed(url: str, secret: str, timestamp_ms: int) -> str:
    """Return the URL with time and signature; unchanged without a secret."""
    if not secret:
        return url
    text = f"{timestamp_ms}\n{secret}".encode()
    sign = base64.b64encode(hmac.new(secret.encode(), text, hashlib.sha256).digest())
    separator = "&" if "?" in url else "?"
    return f"{url}{separator}timestamp={timestamp_ms}&sign={quote_plus(sign)}"


def read(reply: Reply) -> Answer:
    """Return what a reply of DingTalk means."""
    by_status = judge(reply)
    if by_status.result is not Result.DELIVERED:
        return by_status
    code = reply.json().get("errcode")
    if code == 0:
        return by_status
    if code in RETRYABLE:
        return Answer(Result.LATER, by_status.text, TOO_MANY_PAUSE_S if code in TOO_MANY else None)
    # Without a code the reply is not from DingTalk but from a proxy, such as a login page.
    return Answer(Result.REFUSED if code is not None else Result.LATER, by_status.text)


def payload(card: Card) -> dict[str, Any]:
    """Return the body of the request for a card."""
    lines = [f'#### <font color="{COLOURS[card.colour]}">{plain(card.title)}</font>']
    if card.text:
        lines.append(plain(card.text))
    lines += [f"- **{plain(name)}**: {plain(value)}" for name, value in card.fields]
    if card.links:
        lines.append(" · ".join(f"[{name}]({url})" for name, url in card.links))
    lines.append(f"###### {plain(card.footer)}")
    return {"msgtype": "markdown", "markdown": {"title": card.title, "text": "\n\n".join(lines)}}


def plain(text: str) -> str:
    """Escape the characters that have a meaning in Markdown."""
    return "".join(f"\\{mark}" if mark in MARKDOWN_CHARACTERS else mark for mark in text)
