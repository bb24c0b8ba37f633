"""Which of several masters is asked: the one that leads by the lease in Redis."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from flask import Flask

from locust_fleet.election.lease import LEASE_KEY
from locust_fleet.settings.console import ConsoleSettings
from tests.integration.console.conftest import (
    RUN_ID,
    Front,
    Master,
    parts_of,
    running_status,
    signed_in,
)
from tests.support.ports import free_port


def lead(console: Flask, holder: str) -> None:
    """Have somebody hold the lease, and the console know of it."""
    parts = parts_of(console)
    parts.redis.set(
        LEASE_KEY, json.dumps({"epoch": 1, "holder": holder, "address": "10.0.0.7:5557"})
    )
    parts.leader.refresh()


def port_of(console: Flask) -> int:
    return urlsplit(parts_of(console).master._address()).port or 0


@pytest.fixture
def misled(build: Callable[..., Flask], settings: ConsoleSettings, people: None) -> Flask:
    """A console for which the name of all masters leads to nobody."""
    url = settings.master_url.replace("127.0.0.1", "127.0.0.99")
    return build(replace(settings, master_url=url))


def test_the_front_is_told_who_leads(console: Flask, olga: Front) -> None:
    before = olga.verdict("GET", "/").headers
    lead(console, "a1b2c3")

    assert "X-Fleet-Leader" not in before
    assert olga.verdict("GET", "/").headers["X-Fleet-Leader"] == "a1b2c3"


def test_the_console_asks_who_leads(misled: Flask) -> None:
    lead(misled, "127.0.0.1")

    assert signed_in(misled, "olga").ask("GET", "/api/v1/run").status_code == 200


def test_what_is_no_host_name_is_not_passed_on(console: Flask, olga: Front) -> None:
    lead(console, "elsewhere:80/?")

    assert "X-Fleet-Leader" not in olga.verdict("GET", "/").headers


def test_without_redis_the_name_of_all_masters_counts(
    build: Callable[..., Flask], settings: ConsoleSettings, people: None
) -> None:
    nowhere = replace(settings.redis, port=free_port("127.0.0.1"))
    console = build(replace(settings, redis=nowhere))

    parts_of(console).leader.refresh()

    assert signed_in(console, "olga").ask("GET", "/api/v1/run").status_code == 200


def test_a_stop_reaches_the_next_leader_where_the_one_before_hangs(
    misled: Flask, master: Master
) -> None:
    master.status = running_status()
    with socket.create_server(("127.0.0.98", port_of(misled))):
        lead(misled, "127.0.0.98")
        olga = signed_in(misled, "olga")
        taking_over = threading.Timer(1, lead, (misled, "127.0.0.1"))
        taking_over.start()

        answer = olga.ask("POST", f"/api/v1/runs/{RUN_ID}/stop")

    assert answer.status_code == 200
    assert [path for path, _, _ in master.asked] == ["/stop"]


def test_the_stop_button_of_locusts_page_is_answered_as_locust_does(
    console: Flask, olga: Front, master: Master
) -> None:
    answer = olga.ask("POST", "/stop")

    assert answer.json == {"success": True, "message": "Test stopped"}
    assert [path for path, _, _ in master.asked] == ["/stop"]
