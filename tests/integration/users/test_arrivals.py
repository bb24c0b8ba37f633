"""Workers share arrivals: the target sees the rate that was asked for, whoever comes and goes."""

from __future__ import annotations

import csv
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from locust_fleet.protocol.histogram import TWIN
from locust_fleet.settings.stores import RedisSettings
from tests.integration.users.target import Target, target
from tests.support.fleet import ADDRESS, Fleet, NewFleet
from tests.support.redis import redis_environment
from tests.support.waiting import wait_until

RATE = 100
OPEN = """
from locust import FastHttpUser, task
from locust_fleet.users import ArrivalRate

class Shopper(FastHttpUser):
    arrivals = ArrivalRate({shape})

    @task
    def home(self):
        self.client.get("/")
"""


@pytest.fixture
def timed(tmp_path: Path) -> Iterator[Target]:
    with target(ADDRESS, tmp_path / "target.log") as found:
        yield found


@pytest.fixture
def fleet(new_fleet: NewFleet) -> Fleet:
    return new_fleet(OPEN.format(shape=RATE))


@pytest.fixture
def safe_fleet(new_fleet: NewFleet, redis_settings: RedisSettings) -> Fleet:
    """One whose run outlives its master."""
    env = redis_environment(redis_settings)
    return new_fleet(OPEN.format(shape=RATE), env)


def rate(times: list[float], begin: float, seconds: float) -> float:
    return sum(begin <= at < begin + seconds for at in times) / seconds


def counted(connection: psycopg.Connection) -> tuple[int, int, int]:
    """Return what Postgres has of arrivals, of those that were dropped, and of requests."""
    query = (
        "SELECT sum(arrivals), sum(dropped),"
        " (SELECT sum(requests) FROM run_totals) FROM run_arrivals"
    )
    row = connection.execute(query).fetchone()
    assert row is not None
    arrivals, dropped, requests = map(int, row)
    return arrivals, dropped, requests


def arrived(fleet: Fleet) -> float:
    """Return what the leader tells Prometheus of arrivals since it leads."""
    return fleet.metrics("master").get('locust_arrivals_total{user_class="Shopper"}', 0)


def wait_for_end(connection: psycopg.Connection, state: str) -> None:
    wait_until(
        lambda: connection.execute("SELECT state FROM runs").fetchall() == [(state,)],
        f"the run closed as {state}",
    )


def test_every_arrival_of_the_stages_is_one_request_and_then_the_run_ends(
    fleet: Fleet, timed: Target, connection: psycopg.Connection
) -> None:
    stages = [{"rate": 60, "over": 4}, {"rate": 60, "for": 3}, {"rate": 20, "for": 3}]
    fleet.start("w1", "w2", "w3", locustfile=OPEN.format(shape=stages))
    fleet.swarm(30, host=timed.url)

    wait_for_end(connection, "finished")

    wanted = 120 + 180 + 60
    assert len(timed.look()) == wanted
    totals = connection.execute("SELECT requests, corrected FROM run_totals").fetchall()
    assert [(requests, sum(times.values())) for requests, times in totals] == [(wanted, wanted)]
    assert counted(connection) == (wanted, 0, wanted)
    assert arrived(fleet) == wanted


def test_no_total_counts_a_request_again_from_its_intended_start(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    stages = [{"rate": 40, "for": 3}]
    fleet.start("w1", "w2", locustfile=OPEN.format(shape=stages).replace('"/"', '"/products"'))
    fleet.swarm(20)

    wait_for_end(connection, "finished")

    series = fleet.metrics("master").items()
    in_prometheus = [value for name, value in series if name.startswith("locust_requests_total{")]
    assert sum(in_prometheus) == 120
    assert fleet.state()["totals"]["requests"] == 120
    assert sum(worker["requests"] for worker in fleet.state()["worker_list"]) == 120
    [table] = (fleet.folder / "reports").glob("*/requests.csv")
    with table.open(newline="") as file:
        reported = {row["Name"]: int(row["Request Count"]) for row in csv.DictReader(file)}
    assert reported == {"/products": 120, f"/products{TWIN}": 120, "Aggregated": 120}


def test_iterations_without_a_free_user_are_dropped_and_everybody_is_told(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    slow = OPEN.format(shape=[{"rate": 20, "for": 8}]).replace('"/"', '"/slow?ms=2000"')
    fleet.start("w1", "w2", locustfile=slow)
    fleet.swarm(4)
    wait_until(lambda: bool(fleet.state()["problems"]), "a problem being told", 20)
    told = fleet.state()["problems"]
    wait_for_end(connection, "finished")

    arrivals, dropped, _ = counted(connection)
    assert arrivals == 160
    # Four users can do 16 in the time.
    assert dropped == pytest.approx(144, abs=6)
    assert "iterations of Shopper are dropped" in told[0]
    metrics = fleet.metrics("master")
    assert metrics['locust_dropped_iterations_total{user_class="Shopper"}'] == dropped
    [shown] = fleet.ask("/stats/requests")["errors"]
    assert shown["occurrences"] == dropped
    [report] = (fleet.folder / "reports").glob("*/report.html")
    assert "dropped: no user was free" in report.read_text()


def test_workers_that_join_and_leave_neither_lose_nor_double_an_arrival(
    fleet: Fleet, timed: Target, connection: psycopg.Connection
) -> None:
    fleet.start("w1", "w2", locustfile=OPEN.format(shape=[{"rate": RATE, "for": 20}]))
    fleet.swarm(60, host=timed.url)
    timed.wait_for(2 * RATE)

    fleet.start_worker("w3")
    fleet.wait_for_workers(3)
    timed.wait_for(12 * RATE)
    fleet.end("w1")
    wait_for_end(connection, "finished")

    arrivals, dropped, requests = counted(connection)
    # Of a worker that hears too late of a change, a few may be.
    assert arrivals == pytest.approx(20 * RATE, abs=5)
    assert arrivals - dropped == requests == len(timed.look())


def test_the_arrivals_of_a_killed_worker_are_those_of_the_others_once_it_is_missed(
    fleet: Fleet, timed: Target
) -> None:
    fleet.start("w1", "w2", "w3", "w4")
    fleet.swarm(40, host=timed.url)
    timed.wait_for(2 * RATE)

    killed = time.time()
    fleet.end("w4", signal.SIGKILL)
    time.sleep(14)

    times = timed.since(killed)
    # A gap of its quarter, and never more than was asked for.
    assert rate(times, killed + 1, 3) == pytest.approx(0.75 * RATE, rel=0.15)
    assert rate(times, killed + 10, 4) == pytest.approx(RATE, rel=0.15)


def test_a_worker_that_hung_begins_nothing_of_what_others_have_begun(
    fleet: Fleet, timed: Target
) -> None:
    fleet.start("w1", "w2", "w3")
    fleet.swarm(30, host=timed.url)
    timed.wait_for(2 * RATE)

    fleet.freeze("w3")
    time.sleep(12)
    woke = time.time()
    fleet.wake("w3")
    time.sleep(8)

    times = timed.since(woke - 2)
    assert rate(times, woke - 2, 2) == pytest.approx(RATE, rel=0.2)
    # Until it hears that others have its part, it has it as well.
    assert rate(times, woke, 1) < 1.6 * RATE
    assert rate(times, woke + 4, 4) == pytest.approx(RATE, rel=0.2)


def test_arrivals_go_on_without_a_leader_and_under_the_next(
    safe_fleet: Fleet, timed: Target, connection: psycopg.Connection
) -> None:
    fleet = safe_fleet
    fleet.start("w1", "w2", "w3", locustfile=OPEN.format(shape=[{"rate": RATE, "for": 25}]))
    fleet.swarm(60, host=timed.url)
    timed.wait_for(6 * RATE)
    before = arrived(fleet)
    # By then all of that is in Redis.
    timed.wait_for(7 * RATE)

    killed = time.time()
    fleet.end("master", signal.SIGKILL)
    time.sleep(3)
    alone = timed.since(killed)
    fleet.start_master()
    wait_for_end(connection, "finished")

    assert rate(alone, killed, 3) == pytest.approx(RATE, rel=0.2)
    arrivals, dropped, requests = counted(connection)
    # As exactly as the next leader knows where the timeline is.
    assert arrivals == pytest.approx(25 * RATE, abs=10)
    assert arrivals - dropped == requests == len(timed.look())
    # Prometheus adds up what both leaders counted; it has not seen the former's last reports.
    assert arrivals - 5 * RATE < before + arrived(fleet) <= arrivals
