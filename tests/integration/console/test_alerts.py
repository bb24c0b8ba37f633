"""Alertmanager hands alerts over, and is answered once they are stored."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import Client, TestResponse

from locust_fleet.notify import outbox
from locust_fleet.notify.message import Message
from locust_fleet.runtime.postgres import Connection
from locust_fleet.settings.console import ConsoleSettings
from tests.integration.console.conftest import (
    ALERT_TOKEN,
    PAGE,
    RUN_ID,
    Front,
    audit_of,
)

STARTED = "2026-01-02T03:04:05.123456789Z"


def alert(name: str = "HighErrorRate", **changed: Any) -> dict[str, Any]:
    return {
        "status": "firing",
        "labels": {"alertname": name, "severity": "critical", "cluster": "eu"},
        "annotations": {
            "summary": "Too many requests fail.",
            "description": "12 % of them.",
            "runbook": f"docs/runbooks/{name}.md",
        },
        "startsAt": STARTED,
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus:9090/prometheus/graph",
        "fingerprint": f"fp-{name}",
        **changed,
    }


def notification(*alerts: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": "4",
        "groupKey": '{}:{alertname="HighErrorRate"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "critical",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager:9093/alertmanager",
        "alerts": list(alerts),
    }


def send(console: Flask, body: object, token: str = ALERT_TOKEN) -> TestResponse:
    """Post as Alertmanager does, past the front."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return Client(console).post("/alerts", json=body, headers=headers)


def told(database: Connection) -> list[tuple[str, str]]:
    return database.execute(
        "SELECT content->>'alert_name', content->>'status' FROM outbox_messages ORDER BY seq"
    ).fetchall()


def test_an_alert_is_stored_before_it_is_answered(console: Flask, database: Connection) -> None:
    assert send(console, notification(alert())).status_code == 202

    assert told(database) == [("HighErrorRate", "firing")]


@pytest.mark.parametrize("token", ["", "wrong", "ålert"])
def test_without_the_token_nothing_is_taken(
    token: str, console: Flask, database: Connection
) -> None:
    assert send(console, notification(alert()), token.encode().decode("latin-1")).status_code == 401
    assert told(database) == []


def test_what_cannot_be_stored_is_not_taken(
    build: Callable[..., Flask], settings: ConsoleSettings
) -> None:
    away = build(replace(settings, postgres=replace(settings.postgres, port=1)))

    assert send(away, notification(alert())).status_code == 503


def test_a_second_try_of_a_notification_is_stored_once(
    console: Flask, database: Connection
) -> None:
    for _ in range(3):
        assert send(console, notification(alert(), alert("LowThroughput"))).status_code == 202

    assert told(database) == [("HighErrorRate", "firing"), ("LowThroughput", "firing")]


def test_a_repetition_half_an_hour_later_gets_through(console: Flask, database: Connection) -> None:
    send(console, notification(alert()))
    database.execute("UPDATE outbox_seen SET at = at - interval '30 minutes'")

    send(console, notification(alert()))

    assert told(database) == [("HighErrorRate", "firing")] * 2


def test_an_alert_is_not_told_again_because_another_joins_its_group(
    console: Flask, database: Connection
) -> None:
    labels = {"alertname": "LocustHighMemoryUsage", "severity": "warning"}
    first, second = (alert("LocustHighMemoryUsage", labels=labels, fingerprint=f) for f in "ab")
    send(console, notification(first))
    database.execute("UPDATE outbox_seen SET at = at - interval '1 hour'")

    send(console, notification(first, second))

    assert len(told(database)) == 2


def test_the_end_of_an_alert_and_its_return_get_through(
    console: Flask, database: Connection
) -> None:
    ended = {"status": "resolved", "endsAt": "2026-01-02T03:10:00Z"}

    send(console, notification(alert()))
    send(console, notification(alert(**ended)))
    send(console, notification(alert(startsAt="2026-01-02T03:11:00Z")))

    assert [status for _, status in told(database)] == ["firing", "resolved", "firing"]


def test_an_alert_belongs_to_the_run_that_goes_on(console: Flask, database: Connection) -> None:
    database.execute(
        "INSERT INTO runs (id, started_by, locustfile, host, users, spawn_rate, started_at,"
        " image_version, state)"
        " VALUES (%s, 'olga', 'a.py', 'http://a', 1, 1, now(), 'v', 'running')",
        (RUN_ID,),
    )

    send(console, notification(alert()))

    run = database.execute("SELECT content->>'run_id' FROM outbox_messages").fetchone()
    assert run == (RUN_ID,)


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {"alerts": {}},
        {"alerts": [{}]},
        {"alerts": [None]},
        {"alerts": [alert(startsAt="soon")]},
        {"alerts": [alert(status="maybe")]},
        {"alerts": [alert(labels=[])]},
        {"alerts": [alert(startsAt="0001-01-01T00:00:00+14:00")]},
    ],
)
def test_what_is_no_notification_is_refused(
    body: object, console: Flask, database: Connection
) -> None:
    assert send(console, body).status_code == 400
    assert told(database) == []


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"alerts": [], "alerts": []}'])
def test_a_body_that_has_no_one_meaning_is_refused(body: bytes, console: Flask) -> None:
    headers = {"Authorization": f"Bearer {ALERT_TOKEN}"}

    assert Client(console).post("/alerts", data=body, headers=headers).status_code == 400


def test_a_group_of_a_thousand_alerts_is_taken(console: Flask, database: Connection) -> None:
    alerts = [alert(f"Alert{number}") for number in range(1000)]

    assert send(console, notification(*alerts)).status_code == 202
    assert len(told(database)) == 1000


@pytest.mark.parametrize("path", ["/alerts", "/metrics"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_front_passes_on_neither_alerts_nor_metrics(
    method: str, path: str, adam: Front
) -> None:
    assert adam.verdict(method, path).status_code == 403


def test_metrics_say_what_was_asked_and_what_waits(console: Flask) -> None:
    send(console, notification(alert()))

    text = Client(console).get("/metrics").text

    assert 'fleet_console_requests_total{method="POST",status="202"} 1.0' in text
    assert 'fleet_notifications_pending{channel=""} 1.0' in text


def test_metrics_are_there_while_postgres_is_away(
    build: Callable[..., Flask], settings: ConsoleSettings
) -> None:
    away = build(replace(settings, postgres=replace(settings.postgres, port=1)))

    answer = Client(away).get("/metrics")

    assert (answer.status_code, "fleet_notifications" in answer.text) == (200, False)


@pytest.fixture
def refused(console: Flask, database: Connection) -> Message:
    """A message that Slack refused."""
    message = Message(
        alert_name="HighErrorRate",
        severity="critical",
        status="firing",
        summary="Too many requests fail.",
        at=datetime.now(UTC),
        thread="a",
    )
    outbox.store(database, message)
    outbox.create_deliveries(database, ["slack"])
    database.execute(
        "UPDATE outbox_deliveries SET state = 'failed', last_answer = 'HTTP 404 no_service'"
    )
    return message


def act(front: Front, action: str, message_id: uuid.UUID, channel: str = "slack") -> TestResponse:
    form = {"action": action, "id": str(message_id), "channel": channel}
    return front.ask("POST", "/console/admin/notifications", headers=PAGE, data=form)


def test_an_admin_sees_what_was_refused_and_why(adam: Front, refused: Message) -> None:
    page = adam.ask("GET", "/console/admin/notifications", headers=PAGE).text

    assert "Too many requests fail." in page
    assert "HTTP 404 no_service" in page


def test_only_admins_see_notifications(olga: Front) -> None:
    assert olga.ask("GET", "/console/admin/notifications").status_code == 403


@pytest.mark.parametrize(("action", "state"), [("retry", "pending"), ("discard", "discarded")])
def test_an_admin_retries_or_discards_a_message(
    action: str, state: str, adam: Front, refused: Message, database: Connection
) -> None:
    assert act(adam, action, refused.id).status_code == 303

    assert database.execute("SELECT state FROM outbox_deliveries").fetchall() == [(state,)]
    assert ("adam", f"{action} notification", True) in audit_of(adam.app, database)


@pytest.mark.parametrize(
    ("action", "channel"), [("retry", "email"), ("retry", "a\x00"), ("burn", "slack")]
)
def test_what_is_not_there_cannot_be_retried(
    action: str, channel: str, adam: Front, refused: Message
) -> None:
    assert act(adam, action, refused.id, channel).status_code == 422
