"""Prometheus sees as many requests as the target served, whatever happens to the statistics."""

import re
import signal
import time

import pytest

from tests.support.fleet import Fleet, NewFleet
from tests.support.waiting import wait_until

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
STEADY = """
import itertools
from locust import FastHttpUser, constant_throughput, task

TURNS = itertools.cycle(["/products"] * 4 + ["/nothing"])

class Steady(FastHttpUser):
    wait_time = constant_throughput(10)

    @task
    def turn(self):
        self.client.get(next(TURNS))
"""
MANY_NAMES = """
import itertools
from locust import HttpUser, constant, task

NUMBERS = itertools.count()

class Explorer(HttpUser):
    wait_time = constant(0.05)

    @task
    def products(self):
        self.client.get("/products", name=f"/products/{next(NUMBERS)}")
"""
CLASH = (
    SHOPPER
    + """
metrics.gauge("visits", "The same name, something else.")
"""
)


@pytest.fixture
def fleet(new_fleet: NewFleet) -> Fleet:
    return new_fleet(SHOPPER)


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


def test_counters_and_users_survive_workers_that_come_and_go(fleet: Fleet) -> None:
    fleet.start("w1", "w2")
    fleet.swarm(10)
    fleet.wait_for_requests(100)
    assert fleet.end("w2") == 0
    fleet.start_worker("w3")
    fleet.wait_for_workers(2)
    fleet.wait_for_users(10)
    metrics = fleet.metrics("master")
    fleet.stop()

    assert metrics["locust_workers_expected"] == 2
    assert metrics["locust_worker_disconnects_total"] == 0
    assert metrics["locust_current_users"] == metrics["locust_target_users"] == 10
    assert total(metrics, "locust_users_per_worker") == 10
    assert total(fleet.metrics("master"), "locust_requests_total") == fleet.served()


def test_a_killed_worker_is_missing_until_another_comes(fleet: Fleet) -> None:
    fleet.start("w1", "w2")
    fleet.swarm(10)
    fleet.wait_for_users(10)

    def workers() -> tuple[float, ...]:
        metrics = fleet.metrics("master")
        return tuple(metrics[f"locust_workers_{of}"] for of in ("connected", "missing", "expected"))

    fleet.end("w2", signal.SIGKILL)
    wait_until(lambda: workers() == (1, 1, 2), "the worker missing")
    fleet.start_worker("w3")
    wait_until(lambda: workers() == (2, 0, 2), "the place taken")
    fleet.end("w3", signal.SIGKILL)
    wait_until(lambda: workers() == (1, 1, 2), "the worker missing")
    fleet.stop()

    assert workers() == (1, 0, 1)
    assert fleet.metrics("master")["locust_worker_disconnects_total"] == 2


def test_a_run_is_known_while_it_is_active_with_the_thresholds_it_brought(fleet: Fleet) -> None:
    fleet.start("w1")
    assert fleet.metrics("master")["locust_test_running"] == 0
    answer = fleet.swarm(5, alerts={"HighResponseTime": 15})
    fleet.wait_for_requests(20)

    metrics = fleet.metrics("master")
    assert metrics["locust_test_running"] == 1
    assert total(metrics, "locust_run_info", answer["run_id"], fleet.target, "busy.py") == 1
    assert metrics["locust_run_started_timestamp_seconds"] == pytest.approx(time.time(), abs=60)
    assert metrics['locust_alert_threshold{alert="HighResponseTime"}'] == 15
    assert metrics['locust_alert_threshold{alert="LowThroughput"}'] == 50
    fleet.stop()

    metrics = fleet.metrics("master")
    assert total(metrics, "locust_run_info") == metrics["locust_test_running"] == 0
    assert metrics['locust_alert_threshold{alert="HighResponseTime"}'] == 2


def test_a_wrong_threshold_is_refused_with_what_would_be_right(fleet: Fleet) -> None:
    fleet.start("w1")

    answer = fleet.swarm(5, alerts={"Slow": 15})

    assert answer["code"] == "bad_input"
    assert "There is no alert 'Slow' with a threshold; use HighErrorRate" in answer["message"]


def test_rates_and_percentiles_are_those_of_the_load(fleet: Fleet) -> None:
    fleet.start("w1", "w2", locustfile=STEADY)
    fleet.swarm(10)
    fleet.wait_for_users(10)

    def rate() -> float:
        return fleet.metrics("master")["locust_requests_per_second"]

    # Ten users, ten requests a second each, of which a fifth fails.
    wait_until(lambda: rate() == pytest.approx(100, rel=0.1), "the rate of the load")
    metrics = fleet.metrics("master")
    fleet.stop()

    assert metrics["locust_error_rate_percent"] == pytest.approx(20, abs=6)
    for window in ("run", "recent"):
        of = f'method="",name="Aggregated",percentile="0.5",window="{window}"'
        median = metrics[f"locust_response_time_percentile_seconds{{{of}}}"]
        assert 0.0005 < median < 0.05
        average = metrics[f'locust_average_response_time_seconds{{window="{window}"}}']
        assert 0.0005 < average < 0.05


def test_a_worker_shows_itself_and_what_its_scenario_counts(fleet: Fleet) -> None:
    fleet.start_target()
    fleet.start_master()
    fleet.start_worker("w1", NODE_ID="rack 7", NODE_TAGS="lab,10g")
    fleet.wait_for_workers(1)
    fleet.swarm(5)
    fleet.wait_for_users(5)
    fleet.wait_for_requests(50)

    metrics = fleet.metrics("w1")
    assert metrics["locust_worker_users"] == 5
    assert metrics["locust_worker_memory_bytes"] > 10e6
    assert 0 <= metrics["locust_worker_loop_lag_seconds"] < 5
    assert "locust_worker_cpu_percent" in metrics
    [worker] = fleet.state()["worker_list"]
    who = f'worker="{worker["id"]}",node_id="rack 7",tags="10g,lab"'
    assert metrics[f"locust_worker_info{{{who}}}"] == 1
    assert metrics['visits_total{page="products"}'] > 0
    assert "process_cpu_seconds_total" in metrics
    # Nothing is counted twice: requests are the master's.
    assert total(metrics, "locust_requests_total") == 0


@pytest.mark.parametrize(
    ("module", "user"),
    [
        ("locust", "HttpUser"),
        ("locust", "FastHttpUser"),
        ("locust_fleet.users", "FleetHttpUser"),
    ],
)
def test_requests_in_flight_are_those_that_wait_for_their_answer(
    fleet: Fleet, module: str, user: str
) -> None:
    imports = f"from {module} import {user}\nfrom locust import task"
    slow = SLOW.replace("from locust import FastHttpUser, task", imports)
    fleet.start("w1", locustfile=slow.replace("FastHttpUser", user))
    fleet.swarm(7)

    def in_flight() -> float:
        return fleet.metrics("w1")["locust_worker_requests_in_flight"]

    wait_until(lambda: in_flight() == 7, "seven requests in flight")
    fleet.stop()
    assert in_flight() == 0


def test_a_clash_of_metrics_stops_the_worker_with_its_name(fleet: Fleet) -> None:
    fleet.start()
    (fleet.folder / "busy.py").write_text(CLASH)
    fleet.start_worker("w1")

    wait_until(lambda: fleet.exit_code("w1") is not None, "the worker ending")

    assert "there are two metrics visits, a counter" in fleet.log("w1")


def test_results_that_wait_are_seen_with_their_age(fleet: Fleet) -> None:
    fleet.start_master(POSTGRES_PORT="1")

    def lag() -> float:
        return fleet.metrics("master")["locust_recorder_lag_seconds"]

    wait_until(lambda: lag() > 1, "a lag")
    metrics = fleet.metrics("master")
    assert metrics["locust_spool_files"] >= 1
    assert metrics["locust_spool_bytes"] > 10
    fleet.end("master")
    fleet.start_master()
    wait_until(lambda: lag() == 0, "no lag")


def test_a_master_says_who_it_is(fleet: Fleet) -> None:
    fleet.start_master(FLEET_VERSION="v7")

    metrics = fleet.metrics("master")
    assert metrics['locust_master_info{role="leader",version="v7"}'] == 1
    assert metrics["process_start_time_seconds"] > 0


def test_names_beyond_the_limit_are_seen_and_every_request_counts(fleet: Fleet) -> None:
    (fleet.folder / "busy.py").write_text(MANY_NAMES)
    fleet.start_target()
    fleet.start_master(MAX_NAMES="5")
    fleet.start_worker("w1", MAX_NAMES="5")
    fleet.wait_for_workers(1)

    fleet.swarm(5)
    fleet.wait_for_requests(100)
    fleet.stop()

    metrics = fleet.metrics("master")
    assert metrics["locust_names_over_limit"] == 1
    assert total(metrics, "locust_requests_total", 'name="(other)"') > 0
    assert total(metrics, "locust_requests_total") == fleet.served()
