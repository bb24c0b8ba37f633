"""A scrape is one text that Prometheus takes, and lets everything else go on meanwhile."""

from __future__ import annotations

from locust.runners import STATE_MISSING, STATE_RUNNING
from locust.stats import RequestStats, StatsEntry

import re
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import gevent
import pytest
from prometheus_client.parser import text_string_to_metric_families

from locust_fleet.master.metrics.counters import EndpointCounters
from locust_fleet.master.metrics.exporter import MasterMetrics
from locust_fleet.master.results.recorder import Recorder
from locust_fleet.master.results.run import utc_now
from locust_fleet.master.results.spool import Spool
from locust_fleet.master.workers.roster import Roster
from locust_fleet.settings.master import thresholds

CONTRACT = """
locust_alert_threshold locust_average_response_time_seconds locust_current_users
locust_error_rate_percent locust_failures_total locust_master_info
locust_messages_dropped_total locust_names_over_limit
locust_recorder_lag_seconds locust_request_duration_seconds_bucket
locust_request_duration_seconds_count locust_request_duration_seconds_sum
locust_requests_per_second locust_requests_total locust_response_time_percentile_seconds
locust_run_info locust_run_started_timestamp_seconds locust_spool_bytes locust_spool_files
locust_spool_rejected_files locust_target_users locust_test_running locust_users_over_capacity
locust_users_per_worker
locust_worker_disconnects_total locust_workers_connected locust_workers_expected
locust_workers_missing
"""


class Master:
    """What is told of a master, without its processes."""

    def __init__(self, folder: Path) -> None:
        self.stats = RequestStats()
        workers = {
            "w1": SimpleNamespace(id="w1", state=STATE_RUNNING, user_count=7),
            "w2": SimpleNamespace(id="w2", state=STATE_MISSING, user_count=3),
        }
        self.runner = SimpleNamespace(
            stats=self.stats, clients=workers, user_count=7, target_user_count=10
        )
        spool = Spool(folder)
        self.recorder = Recorder(spool, "v1")
        self.counts = EndpointCounters(2000)
        self.metrics = MasterMetrics(
            cast("Any", self.runner),
            self.recorder,
            spool,
            self.counts,
            Roster(),
            thresholds({}),
            "v1",
        )

    def start(self, **alerts: float) -> None:
        self.recorder.expect(started_by="alice", name="", run_time_s=None, alerts=alerts)
        self.recorder.start(
            locustfile="a.py",
            host="http://a",
            users=10,
            spawn_rate=1,
            run_time_s=None,
            now=utc_now(),
        )

    def report(self, *names: str, method: str = "GET") -> None:
        stats = RequestStats()
        for name in names:
            stats.log_request(method, name, 12, 1)
            stats.log_error(method, name, "no")
            into = self.stats.get(name, method)
            into.extend(StatsEntry.unserialize(stats.get(name, method).serialize(), self.stats))
        report = {
            "stats": stats.serialize_stats(),
            "stats_total": stats.total.serialize(),
            "errors": stats.serialize_errors(),
        }
        self.counts.add("w1", report, time.monotonic())

    def scrape(self) -> dict[str, float]:
        text = b"".join(self.metrics.render()).decode()
        samples = [
            (f"{sample.name}{sorted(sample.labels.items())}", sample.value)
            for metric in text_string_to_metric_families(text)
            for sample in metric.samples
        ]
        assert len(dict(samples)) == len(samples), "a series stands twice"
        return dict(samples)


@pytest.fixture
def master(tmp_path: Path) -> Master:
    return Master(tmp_path)


def test_every_metric_that_rules_and_dashboards_use_is_exported(master: Master) -> None:
    master.start()
    master.report("/")

    names = {series.partition("[")[0] for series in master.scrape()}

    assert {name for name in names if name.startswith("locust_")} == set(CONTRACT.split())


@pytest.mark.parametrize(
    ("name", "method"),
    [("Aggregated", ""), ("/a\x00b", "GET"), ("/" + "ä" * 5000, "GET"), ('"\\\n', ""), ("", "")],
)
def test_strange_names_do_not_spoil_a_scrape(master: Master, name: str, method: str) -> None:
    master.report(name, "/", method=method)
    master.report(name, "/", method=method)

    total = sum(
        value
        for series, value in master.scrape().items()
        if series.startswith("locust_requests_total")
    )

    assert total == 4


def test_thresholds_of_a_run_apply_until_it_ends(master: Master) -> None:
    series = "locust_alert_threshold[('alert', 'HighResponseTime')]"

    before = master.scrape()[series]
    master.start(HighResponseTime=15)
    during = master.scrape()[series]
    master.recorder.stop()

    assert (before, during, master.scrape()[series]) == (2, 15, 2)


def test_a_missing_worker_has_no_users(master: Master) -> None:
    users = {key for key in master.scrape() if key.startswith("locust_users_per_worker")}

    assert users == {"locust_users_per_worker[('worker', 'w1')]"}


def test_with_very_many_names_every_percentile_is_updated_in_the_end(
    master: Master, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("locust_fleet.master.metrics.exporter.RUN_PERCENTILES_S", 0.0)
    master.report("/1", "/2", "/3")

    # All endpoints together, and then one a scrape.
    found = [
        {match for key in master.scrape() if (match := re.search("'(/.)'.*'run'", key))}
        for _ in range(4)
    ]

    assert [len(names) // 3 for names in found] == [0, 1, 2, 3]


def run_percentiles(master: Master) -> set[str]:
    found = [re.search("'(/.*?)'.*'run'", key) for key in master.scrape()]
    return {match.group(1) for match in found if match}


def test_a_run_does_not_show_percentiles_of_the_one_before(master: Master) -> None:
    master.report("/old", "/both")
    assert run_percentiles(master) == {"/old", "/both"}

    master.stats.clear_all()
    master.counts.start_run()
    master.report("/both")

    assert run_percentiles(master) == {"/both"}


def test_percentiles_that_wait_for_the_next_scrape_are_not_of_the_run_before(
    master: Master, monkeypatch: pytest.MonkeyPatch
) -> None:
    master.report("/1", "/2", "/3")
    assert run_percentiles(master) == {"/1", "/2", "/3"}

    monkeypatch.setattr("locust_fleet.master.metrics.exporter.RUN_PERCENTILES_S", 0.0)
    master.stats.clear_all()
    master.counts.start_run()
    master.report("/1", "/2", "/3")

    assert run_percentiles(master) == set()


def test_other_greenlets_run_during_a_scrape(
    master: Master, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("locust_fleet.master.metrics.exporter.TURN_S", 0.0)
    master.report(*(f"/{number}" for number in range(50)))
    turns = [0]

    def count() -> None:
        while True:
            turns[0] += 1
            gevent.sleep(0)

    counting = gevent.spawn(count)
    master.scrape()
    counting.kill()

    assert turns[0] >= 50
