"""What arrived and what was dropped is told to Prometheus, the operator and Locust's page."""

from __future__ import annotations

from locust import stats
from locust.stats import RequestStats

import time
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.unit.fleet import Master, Worker
from tests.unit.master.reports.test_decode import request

from locust_fleet.master.metrics.arrival_metrics import STILL_S, ArrivalMetrics
from locust_fleet.protocol.histogram import step_of


@pytest.fixture
def arrived() -> ArrivalMetrics:
    return ArrivalMetrics(RequestStats(), 2000)


def report(arrivals: int, dropped: int) -> dict[str, Any]:
    return {"fleet_arrived": {"Shopper": [arrivals, dropped]}}


def samples(arrived: ArrivalMetrics) -> dict[str, float]:
    return {
        sample.name: sample.value
        for metric in text_string_to_metric_families("".join(arrived.render()))
        for sample in metric.samples
        if sample.labels.get("le", "0.25") == "0.25"
        and sample.labels.get("percentile", "0.5") == "0.5"
    }


def test_arrivals_and_drops_are_counters_over_all_runs(arrived: ArrivalMetrics) -> None:
    arrived.add("w1", report(10, 4), 1.0)
    arrived.start_run()
    arrived.add("w2", report(10, 0), 2.0)

    shown = samples(arrived)

    assert shown["locust_arrivals_total"] == 20
    assert shown["locust_dropped_iterations_total"] == 4


def test_times_from_the_intended_start_are_a_histogram_and_percentiles(
    arrived: ArrivalMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stats, "bucket_response_time", step_of)
    worker, master = Worker(), Master()
    for late_s in (0.1, 0.1, 0.9):
        request(worker, "/a", late_s)
    master.take(worker.report())
    arrived.add("w1", {**master.seen[0], **report(3, 0)}, time.monotonic())

    shown = samples(arrived)

    assert shown["locust_corrected_request_duration_seconds_count"] == 3
    assert shown["locust_corrected_request_duration_seconds_bucket"] == 2
    median_s = shown["locust_corrected_response_time_percentile_seconds"]
    assert median_s == pytest.approx(0.15, rel=0.01)


def test_without_an_open_model_a_scrape_has_no_arrivals(arrived: ArrivalMetrics) -> None:
    arrived.add("w1", {}, 1.0)
    assert list(arrived.render()) == []
    assert arrived.diagnostics() == []


def test_dropped_iterations_are_a_finding_while_they_last(arrived: ArrivalMetrics) -> None:
    now = time.monotonic()
    arrived.add("w1", report(10, 0), now)
    before = arrived.diagnostics()
    arrived.add("w1", report(10, 4), now)
    [during] = arrived.diagnostics()
    arrived.add("w1", report(10, 4), now - STILL_S - 1)

    assert before == []
    assert "iterations of Shopper are dropped" in during
    assert arrived.diagnostics() == []


def test_a_run_starts_without_the_findings_of_the_previous_one(arrived: ArrivalMetrics) -> None:
    arrived.add("w1", report(10, 4), time.monotonic())
    arrived.start_run()
    assert arrived.diagnostics() == []


def test_locusts_page_and_report_do_not_show_dropped_iterations_as_failed_requests() -> None:
    page = RequestStats()
    arrived = ArrivalMetrics(page, 2000)
    for _ in range(2):
        arrived.add("w1", report(10, 4), 1.0)

    [error] = page.errors.values()

    assert (error.name, error.occurrences) == ("Shopper", 8)
    assert page.total.num_failures == 0
