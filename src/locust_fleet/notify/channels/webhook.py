"""Any program that accepts JSON over HTTP."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from locust_fleet.notify.channels.delivery_result import Answer
from locust_fleet.notify.channels.http import NoAnswer, judge, later, post_json
from locust_fleet.notify.channels.message_card import card_of
from locust_fleet.notify.message import Message


@dataclass(frozen=True)
class Webhook:
    """A generic webhook. A pause turns a flood of alerts into a moderate rate of requests."""

    url: str
    secret: str
    public_url: str
    name: str = "webhook"
    spacing_s: float = 0.05

    def send(self, message: Message) -> Answer:
        """Try to deliver a message once; never raises."""
        body = json.dumps(payload(message, self.public_url), ensure_ascii=False).encode()
        headers = {
            "X-Fleet-Message-Id": str(message.id),
            **signature(body, self.secret, round(time.time())),
        }
        try:
            return judge(post_json(self.url, body, headers))
        except NoAnswer as error:
            return later(error)


def signature(body: bytes, secret: str, timestamp_s: int) -> dict[str, str]:
    """Return the headers that prove who sent the body and when; none without a secret."""
    if not secret:
        return {}
    text = f"{timestamp_s}.".encode() + body
    digest = hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
    return {"X-Fleet-Timestamp": str(timestamp_s), "X-Fleet-Signature": f"sha256={digest}"}


def payload(message: Message, public_url: str) -> dict[str, Any]:
    """Return the JSON for a message."""
    return {
        "id": str(message.id),
        "alert_name": message.alert_name,
        "severity": message.severity,
        "status": message.status,
        "summary": message.summary,
        "description": message.description,
        "timestamp": message.at.astimezone(UTC).isoformat(),
        "source": message.source,
        "value": message.value,
        "labels": dict(message.labels),
        "run_id": message.run_id,
        "links": dict(card_of(message, public_url).links),
    }
