"""Prometheus sees as many requests as the target served, whatever happens to the statistics."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from locust_fleet.settings import PostgresSettings
from tests.integration.fleet import Fleet

SHOPPER = """
from locust import HttpUser, constant, task
from locust_fleet import metrics

VISITS = metrics.counter("visits", "Pages seen.", ["page"])

class Shopper(HttpUser):
    wait_time = constant(0.05)

    @task(4)
    def products(self):
        self.client.get("/products")
        VISITS.labels("products").inc()

    @task
    def nothing(self):
        self.client.get("/nothing")
"""
SLOW = """
from locust import FastHttpUser, task

class Waiter(FastHttpUser):
    @task
    def slow(self):
        self.client.get("/slow?ms=3000", name="/slow")
"""


@pytest.fixture
def fleet(tmp_path: Path, postgres_settings: PostgresSettings) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path, postgres_settings, SHOPPER)
    yield fleet
    fleet.end_all()


def total(metrics: dict[str, float], name: str, *labels: str) -> float:
    """Return the sum of a metric's lines that have these labels."""
    return sum(
        value
        for series, value in metrics.items()
        if re.split("[{ ]", series)[0] == name and all(label in series for label in labels)
    )


def run_for(fleet: Fleet, requests: int) -> None:
    fleet.swarm(10)
    fleet.wait_for_requests(requests)
    fleet.stop()


def test_counters_are_what_the_target_served_over_a_reset_and_a_second_run(fleet: Fleet) -> None:
    fleet.start("w1", "w2")
    seen = [0.0]

    def look() -> None:
        seen.append(total(fleet.metrics("master"), "locust_requests_total"))

    fleet.swarm(10)
    fleet.wait_for_requests(100)
    look()
    fleet.reset()
    fleet.wait_for_requests(50)
    look()
    fleet.stop()
    look()
    run_for(fleet, 100)
    look()

    metrics = fleet.metrics("master")
    assert seen == sorted(seen)
    assert seen[-1] == fleet.served()
    assert total(metrics, "locust_request_duration_seconds_count") == fleet.served()
    assert total(metrics, "locust_request_duration_seconds_bucket", '+Inf"') == fleet.served()
    failed = total(metrics, "locust_requests_total", 'status="failure"')
    assert failed == total(metrics, "locust_failures_total") > 0
