"""Workers of a fleet share data, whichever way they have to it, and whoever leads."""

import json
import re
import signal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from locust_fleet.settings.stores import RedisSettings
from tests.support.fleet import Fleet, NewFleet
from tests.support.redis import redis_environment
from tests.support.waiting import wait_until

# Each user says what it has; a pause in between lets others have it at the same time, if they can.
SHARING = """
import os, time
from locust import User, constant, task
from locust_fleet import data

data.source("accounts", "accounts.csv")

class Sharer(User):
    wait_time = constant(0.02)

    @task
    def share(self):
        began = time.perf_counter()
        with data.lease("accounts", 30) as account:
            print("got", account["user"], time.monotonic(), flush=True)
            time.sleep(0.05)
            account.check()
            print("gave", account["user"], time.monotonic(), flush=True)
        print("order", data.counter("orders").next(), flush=True)
        self.environment.events.request.fire(
            request_type="SHARE", name="share", response_length=0, exception=None, context={},
            response_time=1000 * (time.perf_counter() - began),
        )
"""
ACCOUNTS = "user\n" + "".join(f"u{number}\n" for number in range(6))


@pytest.fixture
def redis_env(redis_settings: RedisSettings) -> dict[str, str]:
    return redis_environment(redis_settings)


NO_REDIS = {"REDIS_HOST": "", "REDIS_PORT": "", "REDIS_PASSWORD": "", "REDIS_WORKER_PASSWORD": ""}


@pytest.fixture
def fleet(tmp_path: Path, new_fleet: NewFleet, redis_env: dict[str, str]) -> Fleet:
    (tmp_path / "accounts.csv").write_text(ACCOUNTS)
    return new_fleet(SHARING, redis_env)


def start(fleet: Fleet, *far: str, near: tuple[str, ...] = ()) -> None:
    """Start a master, workers that reach Redis, and those that reach the master alone."""
    fleet.start_master()
    for name in near:
        fleet.start_worker(name)
    for name in far:
        fleet.start_worker(name, **NO_REDIS)
    fleet.wait_for_workers(len(near) + len(far))


def orders(fleet: Fleet, *workers: str) -> list[int]:
    return [int(number) for number in words(fleet, workers, r"order (\d+)")]


def words(fleet: Fleet, workers: tuple[str, ...], pattern: str) -> list[Any]:
    return [found for worker in workers for found in re.findall(pattern, fleet.log(worker))]


def check_that_nobody_shared(fleet: Fleet, *workers: str) -> None:
    """Go through all logs by time: a record is never got by two before one gave it back."""
    lines = sorted(
        (float(at), what, user)
        for what, user, at in words(fleet, workers, r"(got|gave) (u\d+) ([\d.]+)")
    )
    out: set[str] = set()
    for at, what, user in lines:
        if what == "got":
            assert user not in out, f"{user} is in two places at {at}"
            out.add(user)
        else:
            out.remove(user)
    assert len(lines) > 100


def event(connection: psycopg.Connection) -> Any:
    found = connection.execute("SELECT detail FROM run_events WHERE kind = 'shared data'")
    row = found.fetchone()
    return row[0] if row else None


def test_workers_near_and_far_share_records_and_numbers(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    start(fleet, "far1", "far2", near=("near1", "near2"))
    workers = "near1", "near2", "far1", "far2"
    fleet.swarm(20)
    wait_until(lambda: all(len(orders(fleet, one)) > 20 for one in workers), "work", 30)

    fleet.stop()

    made = orders(fleet, *workers)
    assert len(made) == len(set(made))
    assert max(made) >= len(made)
    check_that_nobody_shared(fleet, *workers)
    wait_until(lambda: event(connection) is not None, "the event of the run")
    said = event(connection)
    assert said["counter orders"] >= len(made)
    assert said["source accounts"].startswith("6 records, lent ")
    assert len(said["requests"].split("; ")) == 4
    requests = sum(int(part.rpartition(" ")[2]) for part in said["requests"].split("; "))
    assert requests == fleet.state()["totals"]["requests"]
    assert sum(fleet.log(one).count("loaded 6 records") for one in workers) == 1


def test_each_run_begins_with_nothing(fleet: Fleet, connection: psycopg.Connection) -> None:
    start(fleet, "far", near=("near",))
    for _ in range(2):
        fleet.swarm(4)
        wait_until(lambda: fleet.state()["totals"]["requests"] > 20, "work", 30)
        fleet.stop()
    assert orders(fleet, "near", "far").count(1) == 2


def test_a_far_worker_that_is_killed_loses_its_records_to_others(fleet: Fleet) -> None:
    start(fleet, "far", near=("near",))
    fleet.swarm(12)
    wait_until(lambda: len(orders(fleet, "near")) > 20 < len(orders(fleet, "far")), "work", 30)

    fleet.end("far", signal.SIGKILL)

    held = len(words(fleet, ("far",), "got")) - len(words(fleet, ("far",), "gave"))
    before = len(fleet.log("near"))

    def all_are_used_again() -> bool:
        return set(re.findall(r"gave (u\d)", fleet.log("near")[before:])) == {
            f"u{number}" for number in range(6)
        }

    wait_until(all_are_used_again, f"{held} records given to others", 40)
    check_that_nobody_shared(fleet, "near")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_data_outlives_a_change_of_the_leader(
    fleet: Fleet, connection: psycopg.Connection, how: signal.Signals
) -> None:
    start(fleet, "far", near=("near",))
    fleet.start_standby("next")
    fleet.swarm(8)
    wait_until(lambda: len(orders(fleet, "near")) > 20 < len(orders(fleet, "far")), "work", 30)

    fleet.end("master", how)
    wait_until(lambda: fleet.leader() == "next", "another master going on", 30)
    known = len(orders(fleet, "far"))
    wait_until(lambda: len(orders(fleet, "far")) > known + 20, "work after the change", 30)
    fleet.stop()

    made = orders(fleet, "near", "far")
    assert len(made) == len(set(made))
    check_that_nobody_shared(fleet, "near", "far")
    assert "LeaseLost" not in fleet.log("near") + fleet.log("far")
    wait_until(lambda: event(connection) is not None, "the event of the run")
    assert event(connection)["counter orders"] == max(made)


# It asks for a number when the run is being stopped, and a stop waits for it.
LATE = """
import time
from locust import User, task
from locust_fleet import data

class Late(User):
    @task
    def order(self):
        print("begins", flush=True)
        time.sleep(5)
        print("order", data.counter("orders").next(), flush=True)
"""


def test_a_far_worker_hears_answers_while_it_stops_its_users(fleet: Fleet) -> None:
    (fleet.folder / "busy.py").write_text(LATE)
    start(fleet, "far")
    fleet.swarm(3)
    fleet.wait_for_users(3)

    fleet.stop()

    assert sorted(orders(fleet, "far")) == [1, 2, 3]
    fleet.swarm(1)
    fleet.wait_for_users(1)


def test_without_redis_the_leader_keeps_the_data(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    fleet.start_master(**NO_REDIS)
    for name in ("one", "two"):
        fleet.start_worker(name, **NO_REDIS)
    fleet.wait_for_workers(2)
    fleet.swarm(8)
    wait_until(lambda: len(orders(fleet, "one")) > 20 < len(orders(fleet, "two")), "work", 30)

    fleet.stop()

    made = orders(fleet, "one", "two")
    assert len(made) == len(set(made))
    check_that_nobody_shared(fleet, "one", "two")
    wait_until(lambda: event(connection) is not None, "the event of the run")
    assert json.dumps(event(connection))
