"""Everything that is stored arrives, whatever happens on the way."""

from __future__ import annotations

import signal
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import psycopg
import pytest

from locust_fleet.notify import backoff, outbox
from locust_fleet.notify.channels.channel import Channel
from locust_fleet.notify.notifier import Notifier
from locust_fleet.runtime import postgres
from locust_fleet.settings.stores import PostgresSettings
from tests.integration.notify.conftest import (
    Process,
    Vendors,
    channel_of,
    message,
    states,
    store,
)
from tests.integration.notify.vendors import Vendor
from tests.support.engine import docker
from tests.support.waiting import wait_until

Start = Callable[..., Notifier]
# As long as it takes to be noticed; the time itself changes nothing.
AWAY_S = 5.0


def ids(vendor: Vendor) -> list[str]:
    return [taken.headers["x-fleet-message-id"] for taken in vendor.taken]


@pytest.mark.parametrize("name", ["slack", "dingtalk", "feishu", "webhook"])
def test_a_vendor_takes_what_it_is_sent(
    name: str, connection: psycopg.Connection, vendors: Vendors, notifier: Start
) -> None:
    vendor = vendors(name)
    store(connection, message(1))

    notifier(channel_of(name, vendor.url))

    wait_until(lambda: states(connection) == ["delivered"], "delivery")
    assert len(vendor.taken) == 1


@pytest.mark.parametrize("trouble", [429, 500, 503, "close"])
def test_a_message_that_meets_trouble_arrives_after_it(
    trouble: int | str, connection: psycopg.Connection, vendors: Vendors, notifier: Start
) -> None:
    vendor = vendors("slack")
    vendor.behaviour.extend([trouble, trouble])
    store(connection, message(1))

    notifier(channel_of("slack", vendor.url))

    wait_until(lambda: states(connection) == ["delivered"], "delivery")
    assert (len(vendor.asked), len(vendor.taken)) == (3, 1)


@pytest.mark.parametrize("trouble", ["hang", "drip"])
def test_a_server_that_never_ends_its_answer_is_left(
    trouble: str,
    connection: psycopg.Connection,
    vendors: Vendors,
    notifier: Start,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("locust_fleet.notify.channels.http.post_json.__defaults__", (None, 1.0))
    vendor = vendors("webhook")
    vendor.behaviour.append(trouble)
    store(connection, message(1))

    notifier(channel_of("webhook", vendor.url))

    wait_until(lambda: states(connection) == ["delivered"], "delivery")
    assert len(vendor.taken) == 1


def test_a_channel_is_left_in_peace_as_long_as_it_asks(
    connection: psycopg.Connection, vendors: Vendors, notifier: Start
) -> None:
    vendor = vendors("webhook")
    vendor.retry_after = "3"
    vendor.behaviour.append(429)
    store(connection, message(1), message(2))

    notifier(channel_of("webhook", vendor.url))

    wait_until(lambda: states(connection) == ["delivered"] * 2, "delivery")
    assert vendor.asked[1] - vendor.asked[0] >= 3


def test_what_is_refused_for_good_is_kept_with_the_answer(
    connection: psycopg.Connection,
    vendors: Vendors,
    notifier: Start,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backoff, "MOST_REFUSALS", 2)
    vendor = vendors("dingtalk")
    store(connection, message(1))

    notifier(channel_of("dingtalk", vendor.url.replace("=t", "=old")))

    wait_until(lambda: states(connection) == ["failed"], "giving up")
    (kept,) = outbox.read_open(connection, 10)
    assert "token is not exist" in kept.last_answer


def test_what_failed_counts_as_waiting_until_somebody_deals_with_it(
    connection: psycopg.Connection,
    vendors: Vendors,
    notifier: Start,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backoff, "MOST_REFUSALS", 1)
    vendor = vendors("webhook")
    vendor.always = 404
    store(connection, one := message(1))
    notifier(channel_of("webhook", vendor.url))
    wait_until(lambda: states(connection) == ["failed"], "giving up")

    ages = []
    for _ in range(2):
        (counts,) = (each for each in outbox.read_counts(connection) if each.channel)
        ages.append(counts.oldest_pending_s)
        outbox.discard(connection, one.id, "webhook")

    assert (ages[0] > 0, ages[1]) == (True, 0)


def test_a_message_retried_by_a_human_is_sent_again(
    connection: psycopg.Connection,
    vendors: Vendors,
    notifier: Start,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backoff, "MOST_REFUSALS", 1)
    vendor = vendors("webhook")
    vendor.behaviour.append(404)
    store(connection, one := message(1))
    notifier(channel_of("webhook", vendor.url))
    wait_until(lambda: states(connection) == ["failed"], "giving up")

    assert outbox.retry(connection, one.id, "webhook")

    wait_until(lambda: states(connection) == ["delivered"], "delivery")


def test_a_message_that_one_channel_refuses_does_not_hold_up_others(
    connection: psycopg.Connection, vendors: Vendors, notifier: Start
) -> None:
    vendor = vendors("webhook")
    vendor.behaviour.append(400)
    store(connection, message(1), message(2))

    notifier(channel_of("webhook", vendor.url))

    wait_until(lambda: len(vendor.taken) == 2, "delivery")
    assert [taken.body["alert_name"] for taken in vendor.taken] == ["Alert2", "Alert1"]


def test_the_end_of_an_alert_never_overtakes_it(
    connection: psycopg.Connection, vendors: Vendors, notifier: Start
) -> None:
    vendor = vendors("webhook")
    vendor.behaviour.append(400)
    store(connection, message(1, thread="a"), message(2, thread="a", status="resolved"))

    notifier(channel_of("webhook", vendor.url))

    wait_until(lambda: len(vendor.taken) == 2, "delivery")
    assert [taken.body["status"] for taken in vendor.taken] == ["firing", "resolved"]


def test_a_channel_that_is_away_holds_up_no_other(
    connection: psycopg.Connection, vendors: Vendors, notifier: Start
) -> None:
    away, well = vendors("slack"), vendors("webhook")
    away.always = 500
    store(connection, *(message(number) for number in range(10)))

    notifier(channel_of("slack", away.url), channel_of("webhook", well.url))

    wait_until(lambda: len(well.taken) == 10, "delivery to the other")
    away.always = None
    wait_until(lambda: len(away.taken) == 10, "delivery after the outage")


def test_a_channel_gets_one_message_at_a_time_at_its_pace(
    connection: psycopg.Connection, vendors: Vendors, notifier: Start
) -> None:
    vendor = vendors("slack")
    store(connection, *(message(number) for number in range(4)))

    for _ in range(2):
        notifier(channel_of("slack", vendor.url))

    wait_until(lambda: len(vendor.taken) == 4, "delivery")
    pauses = [after - before for before, after in zip(vendor.asked, vendor.asked[1:], strict=False)]
    assert (vendor.most_at_once, min(pauses) >= 1.0) == (1, True)


def test_two_notifiers_share_a_hundred_messages_without_a_duplicate(
    connection: psycopg.Connection, vendors: Vendors, notifier: Start
) -> None:
    vendor = vendors("webhook")
    store(connection, *(message(number) for number in range(100)))

    for _ in range(2):
        notifier(channel_of("webhook", vendor.url))

    wait_until(lambda: states(connection) == ["delivered"] * 100, "delivery")
    assert (len(set(ids(vendor))), len(ids(vendor)), vendor.most_at_once) == (100, 100, 1)


def test_a_notifier_killed_in_the_middle_loses_nothing_and_repeats_at_most_one(
    connection: psycopg.Connection, vendors: Vendors, process: Callable[..., Process]
) -> None:
    vendor = vendors("webhook")
    # So that the kill meets a message on its way.
    vendor.slowness_s = 0.02
    store(connection, *(message(number) for number in range(100)))
    first = process(WEBHOOK_URL=vendor.url)
    wait_until(lambda: len(vendor.asked) > 50, "half of the messages")

    first.send(signal.SIGKILL)
    process(WEBHOOK_URL=vendor.url)

    wait_until(lambda: states(connection) == ["delivered"] * 100, "delivery")
    repeated = sum(times - 1 for times in Counter(ids(vendor)).values())
    assert (len(set(ids(vendor))), repeated <= 1) == (100, True)


def test_a_notifier_that_is_stopped_finishes_its_try(
    connection: psycopg.Connection, vendors: Vendors, process: Callable[..., Process]
) -> None:
    vendor = vendors("webhook")
    vendor.slowness_s = 1.0
    store(connection, message(1))
    running = process(WEBHOOK_URL=vendor.url)
    wait_until(lambda: len(vendor.asked) == 1, "the try")

    code, said = running.send(signal.SIGTERM)

    assert (code, states(connection)) == (0, ["delivered"]), said


def test_a_wrong_setting_stops_the_notifier_with_its_name(process: Callable[..., Process]) -> None:
    running = process(NOTIFY_CHANNELS="pager")

    said, _ = running._process.communicate(timeout=60)

    assert (running._process.returncode, "NOTIFY_CHANNELS has pager" in said) == (2, True)


@pytest.mark.parametrize("trouble", ["gone", "frozen"])
def test_messages_arrive_once_when_postgres_was_away(
    trouble: str,
    postgres_server: PostgresSettings,
    connection: psycopg.Connection,
    vendors: Vendors,
    notifier: Start,
    postgres_settings: PostgresSettings,
) -> None:
    vendor = vendors("webhook")
    vendor.slowness_s = 0.05
    store(connection, *(message(number) for number in range(40)))
    connection.close()
    notifier(channel_of("webhook", vendor.url))
    wait_until(lambda: len(vendor.taken) > 10, "some messages")

    with gone(postgres_server) if trouble == "gone" else frozen(postgres_server):
        time.sleep(AWAY_S)

    with postgres.connect(postgres_settings) as again:
        wait_until(lambda: states(again) == ["delivered"] * 40, "delivery")
    assert (len(set(ids(vendor))), len(ids(vendor))) == (40, 40)


@contextmanager
def gone(server: PostgresSettings) -> Iterator[None]:
    """Cut all connections to the database, and let nobody in."""
    with postgres.connect(server) as admin:
        admin.execute("ALTER DATABASE fleet ALLOW_CONNECTIONS false")
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'fleet'"
        )
        try:
            yield
        finally:
            admin.execute("ALTER DATABASE fleet ALLOW_CONNECTIONS true")


@contextmanager
def frozen(server: PostgresSettings) -> Iterator[None]:
    """Stop Postgres without closing anything."""
    container = docker("ps", "--quiet", "--filter", f"publish={server.port}")
    docker("pause", container)
    try:
        yield
    finally:
        docker("unpause", container)


def test_nothing_set_means_nobody_is_told_then_or_later(
    connection: psycopg.Connection, vendors: Vendors, notifier: Start
) -> None:
    store(connection, message(1))
    notifier()
    left = "SELECT count(*) FROM outbox_messages WHERE addressed_at IS NULL"
    wait_until(lambda: connection.execute(left).fetchone() == (0,), "sorting")
    vendor = vendors("webhook")

    notifier(channel_of("webhook", vendor.url))
    store(connection, message(2))

    wait_until(lambda: states(connection) == ["delivered"], "delivery")
    assert [taken.body["alert_name"] for taken in vendor.taken] == ["Alert2"]


def test_what_is_settled_is_removed_after_a_while_and_nothing_else(
    connection: psycopg.Connection, vendors: Vendors, notifier: Start
) -> None:
    vendor = vendors("webhook")
    vendor.behaviour.append(400)
    store(connection, message(1), message(2))
    running: Channel = channel_of("webhook", vendor.url)
    notifier(running).end(20)
    outbox.create_deliveries(connection, ["webhook"])
    connection.execute("UPDATE outbox_deliveries SET state = 'delivered' WHERE seq = 1")
    connection.execute("UPDATE outbox_deliveries SET state = 'failed' WHERE seq = 2")

    assert outbox.remove_finished(connection, timedelta(0)) == 1


def test_the_process_says_how_it_is_and_what_waits(
    connection: psycopg.Connection, vendors: Vendors, process: Callable[..., Process]
) -> None:
    vendor = vendors("webhook")
    vendor.always = 500
    store(connection, message(1), message(2))
    running = process(WEBHOOK_URL=vendor.url)
    wait_until(lambda: len(vendor.asked) > 1, "tries")

    with urllib.request.urlopen(f"{running.health}/health") as answer:
        health = answer.status
    with urllib.request.urlopen(running.metrics) as answer:
        lines = dict(
            line.rsplit(" ", 1)
            for line in answer.read().decode().splitlines()
            if line.startswith("fleet_")
        )

    assert health == 200
    assert lines['fleet_notifications_pending{channel="webhook"}'] == "2.0"
    assert float(lines['fleet_notifications_oldest_pending_seconds{channel="webhook"}']) > 0
    assert float(lines['fleet_notification_failures_total{channel="webhook"}']) >= 1
    assert lines['fleet_notifications_delivered_total{channel="webhook"}'] == "0.0"
