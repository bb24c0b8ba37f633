"""Take alerts from Alertmanager, which gets a 2xx only once they are stored.

Alertmanager does not come through nginx but over the stack's own network, with its own token.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Blueprint, Response, jsonify, make_response, request

from locust_fleet.console.routes import common
from locust_fleet.console.routes.common import services
from locust_fleet.notify import outbox
from locust_fleet.notify.message import SEVERITIES, Message
from locust_fleet.policy.limits import shown
from locust_fleet.runtime.front_secret import matches_secret
from locust_fleet.runtime.json_body import read_json
from locust_fleet.runtime.postgres import Connection

PATH = "/alerts"
# In bytes: one group may hold thousands of alerts; a form of a page is smaller.
LARGEST_BODY = 4 * 1024 * 1024
# Alertmanager repeats what it got no answer for, and sends a whole group whenever one alert joins
# or leaves it. People are told again only after its repeat_interval (alertmanager.yml).
REPEATED_AFTER = {
    "critical": timedelta(minutes=30),
    "warning": timedelta(hours=2),
    "info": timedelta(hours=1),
}
# Alertmanager counts its interval from our answer, which is a little later than the first message.
CLOCK_MARGIN = timedelta(minutes=5)
LONGEST = {"summary": 500, "description": 4000, "value": 200, "runbook_url": 1000, "runbook": 1000}
LONGEST_LABEL = 500
LABELS = 40


@dataclass(frozen=True)
class Alert:
    """One alert of a notification; its key is the same each time Alertmanager sends it."""

    key: str
    message: Message


routes = Blueprint("alerts", __name__)


@routes.post(PATH)
def take() -> Response:
    """Store the alerts of a notification; 202 with how many are new and how many are known."""
    request.max_content_length = LARGEST_BODY
    given = request.headers.get("Authorization", "")
    if not matches_secret(given, f"Bearer {services().alert_token}"):
        return common.error(401, "Alerts need the token of secrets/alert_token.")
    try:
        alerts = read(read_json(request.get_data()))
    except ValueError as error:
        return common.error(400, f"This is not a notification of Alertmanager: {error}")
    with services().database.connection() as connection:
        stored = store(connection, alerts)
    return make_response(jsonify({"stored": stored, "known": len(alerts) - stored}), 202)


def read(body: object) -> list[Alert]:
    """Return the alerts of a notification; ValueError says why the body is not one."""
    if not isinstance(body, dict) or not isinstance(body.get("alerts"), list):
        raise ValueError("it has no list of alerts")
    try:
        return [_alert(alert) for alert in body["alerts"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"an alert lacks {error}") from None


def store(connection: Connection, alerts: list[Alert]) -> int:
    """Store all alerts or none; returns how many were new."""
    with connection.transaction():
        run = connection.execute(
            "SELECT id FROM runs WHERE state = 'running' ORDER BY started_at DESC LIMIT 1"
        ).fetchone()
        running = run[0] if run else ""
        # In a fixed order, so that two notifications never wait for each other's locks.
        return sum(
            outbox.store_unless_seen(
                connection,
                replace(alert.message, run_id=alert.message.run_id or running),
                alert.key,
                REPEATED_AFTER[alert.message.severity] - CLOCK_MARGIN,
            )
            for alert in sorted(alerts, key=lambda alert: alert.key)
        )


def _alert(alert: Mapping[str, Any]) -> Alert:
    labels = {
        _text(name, 100): _text(value, LONGEST_LABEL) for name, value in alert["labels"].items()
    }
    notes = {
        name: _text(alert.get("annotations", {}).get(name, ""), longest)
        for name, longest in LONGEST.items()
    }
    status = alert["status"]
    if status not in ("firing", "resolved"):
        raise ValueError(f"the status {shown(status)} is unknown")
    fingerprint = _text(alert.get("fingerprint") or _digest(labels), 100)
    severity = labels.get("severity", "")
    name = labels.get("alertname", "Alert")
    return Alert(
        key=f"{fingerprint} {_text(alert['startsAt'], 100)} {status}",
        message=Message(
            alert_name=name,
            severity=severity if severity in SEVERITIES else "warning",
            status=status,
            summary=notes["summary"] or name,
            description=notes["description"],
            value=notes["value"],
            at=_moment(alert["startsAt"] if status == "firing" else alert["endsAt"]),
            thread=f"alert {fingerprint}",
            source="prometheus",
            labels=dict(list(labels.items())[:LABELS]),
            run_id=labels.get("run_id", ""),
            runbook_url=notes["runbook_url"] or notes["runbook"],
        ),
    )


def _moment(text: str) -> datetime:
    """Return a time as Go writes it, with up to nine digits after the second, in UTC."""
    moment = datetime.fromisoformat(text)
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError(f"the time {shown(text)} has no valid year in UTC") from None


def _text(value: object, longest: int) -> str:
    """Return text that Postgres can store, at most ``longest`` characters."""
    raw = str(value).replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
    return raw[:longest]


def _digest(labels: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(labels, sort_keys=True).encode()).hexdigest()[:16]
