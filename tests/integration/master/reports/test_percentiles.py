"""Every place shows the percentiles of the requests that were made, whoever counted them."""

import csv
import io
import json
import re
import urllib.request
from typing import Any

import psycopg
import pytest

from locust_fleet.protocol.histogram import OTHER, percentile
from tests.support.fleet import FRONT_SECRET, Fleet, NewFleet
from tests.support.waiting import wait_until

# Writes down what it reports: fast and slow answers, and some below a millisecond.
WITNESS = """
import os, random
from locust import User, constant, task

RAW = open(f"raw-{os.getpid()}", "a", buffering=1)

class Witness(User):
    wait_time = constant(0.01)

    @task
    def answer(self):
        took = random.lognormvariate(random.choice([-2, 3, 6]), 0.7)
        RAW.write(f"{took!r}\\n")
        self.environment.events.request.fire(
            request_type="GET", name="/answer", response_time=took, response_length=10,
            exception=None, context={},
        )
"""
NAMELESS = """
import random
from locust import User, constant, task

class Nameless(User):
    wait_time = constant(0.01)

    @task
    def order(self):
        self.environment.events.request.fire(
            request_type="GET", name=f"/orders/{random.random()}", response_time=5,
            response_length=10, exception=ValueError(str(random.random())), context={},
        )
"""


@pytest.fixture
def fleet(new_fleet: NewFleet) -> Fleet:
    return new_fleet(WITNESS)


def page(fleet: Fleet, path: str) -> str:
    headers = {"X-Fleet-Front": FRONT_SECRET, "X-Fleet-User": "alice"}
    request = urllib.request.Request(fleet.web + path, headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return str(answer.read().decode())


def recorded(connection: psycopg.Connection) -> tuple[int, dict[str, int]]:
    """Return the requests and the histogram that Postgres has of the only endpoint."""
    wait_until(
        lambda: bool(connection.execute("SELECT 1 FROM run_totals").fetchall()),
        "totals in Postgres",
    )
    row = connection.execute("SELECT requests, histogram FROM run_totals").fetchone()
    assert row is not None
    return row


def reported(fleet: Fleet) -> dict[str, Any]:
    """Return the row of percentiles in the report that Locust makes."""
    html = page(fleet, "/stats/report")
    rows = re.search(r'"response_time_statistics": (\[.*?\])', html)
    assert rows is not None
    row: dict[str, Any] = json.loads(rows[1])[0]
    return row


def test_locust_its_files_and_postgres_show_the_percentiles_of_the_raw_samples(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    fleet.start("w1", "w2", "w3")
    fleet.swarm(30)
    fleet.wait_for_requests(5000)
    fleet.stop()

    requests, histogram = recorded(connection)
    raw = sorted(
        float(line) for file in fleet.folder.glob("raw-*") for line in file.read_text().splitlines()
    )
    assert len(raw) == requests
    total = fleet.ask("/stats/requests")["stats"][-1]
    (row, *_) = csv.DictReader(io.StringIO(page(fleet, "/stats/requests/csv")))
    html = reported(fleet)
    for fraction in (0.5, 0.95, 0.99):
        truth = raw[int(requests * fraction)]
        shown = percentile(histogram, fraction)
        assert shown == pytest.approx(truth, rel=0.01)
        assert html[str(fraction)] == shown
        assert int(row[f"{fraction:.0%}"]) == int(shown or 0)
        key = "median_response_time" if fraction == 0.5 else f"response_time_percentile_{fraction}"
        assert total[key] == shown
    assert total["avg_response_time"] == pytest.approx(sum(raw) / requests)
    assert fleet.state()["totals"]["p95_ms"] == percentile(histogram, 0.95)


def test_names_without_end_are_counted_together_and_the_operator_is_told(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    fleet.start(locustfile=NAMELESS)
    fleet.end("master")
    fleet.start_master(MAX_NAMES="5")
    for worker in ("w1", "w2"):
        fleet.start_worker(worker, MAX_NAMES="5")
    fleet.wait_for_workers(2)
    fleet.swarm(10)
    fleet.wait_for_requests(2500)
    fleet.stop()

    state = fleet.state()
    rows = {row["name"]: row for row in fleet.ask("/stats/requests")["stats"]}
    assert len(rows) == 5 + len([OTHER, "Aggregated"])
    assert rows[OTHER]["num_requests"] == state["totals"]["requests"] - 5
    assert rows["Aggregated"]["num_failures"] == state["totals"]["requests"]
    assert len(fleet.ask("/stats/requests")["errors"]) <= 1000 + 6
    (problem,) = state["problems"]
    assert "MAX_NAMES" in problem
    wait_until(lambda: fleet.log("master").count("MAX_NAMES") == 1, "one warning in the log")
