"""Users stay at their target, and never above it, while workers hang, are cut off or are killed."""

import signal
import time
from collections.abc import Callable

import psycopg
import pytest

from tests.integration.master.results.test_runs import BUSY, wait_for_end
from tests.support.fleet import Fleet, NewFleet
from tests.support.runs import recorded
from tests.support.waiting import wait_until

# On a worker with BURN_MS its users take that much CPU each time.
UNEQUAL = """
import os, time
from locust import User, constant, task

class Burner(User):
    wait_time = constant(1)

    @task
    def burn(self):
        until = time.process_time() + float(os.environ["BURN_MS"]) / 1000
        while time.process_time() < until:
            pass
"""
AWAY_S = 20
# HEARTBEAT_LIVENESS of 5 signs of life at 1 s, and 5 s more.
BACK_AT_TARGET_S = 10


@pytest.fixture
def fleet(new_fleet: NewFleet) -> Fleet:
    return new_fleet(BUSY)


def watch(fleet: Fleet, seconds: float) -> list[int]:
    """Return the numbers of users that were seen."""
    seen = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        seen.append(fleet.state()["users"])
        time.sleep(0.1)
    return seen


def users_per_worker(fleet: Fleet) -> list[int]:
    return sorted(worker["users"] for worker in fleet.state()["worker_list"])


def go_away(fleet: Fleet, leave: Callable[[], None], come_back: Callable[[], None]) -> None:
    """Run 20 users on two workers, one of which is away for a while."""
    fleet.swarm(20)
    fleet.wait_for_users(20)
    leave()
    left = time.monotonic()
    wait_until(lambda: fleet.state()["users"] < 20, "the loss seen", BACK_AT_TARGET_S)
    fleet.wait_for_users(20, timeout_s=BACK_AT_TARGET_S)
    assert time.monotonic() - left < BACK_AT_TARGET_S
    time.sleep(max(0.0, left + AWAY_S - time.monotonic()))
    come_back()
    assert max(watch(fleet, 5)) <= 20
    wait_until(lambda: users_per_worker(fleet) == [10, 10], "an even division", 10)


def test_users_of_a_hung_worker_run_elsewhere_and_never_twice(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    fleet.start("w1", "w2")

    go_away(fleet, lambda: fleet.freeze("w2"), lambda: fleet.wake("w2"))

    fleet.stop()
    wait_for_end(connection)
    assert fleet.served() == recorded(connection)


def test_users_of_a_worker_that_is_cut_off_run_elsewhere_and_its_reports_count_once(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    fleet.start("w1")
    cable = fleet.cable()
    fleet.start_worker("w2", **cable.env)
    fleet.wait_for_workers(2)

    go_away(fleet, cable.cut, cable.mend)

    fleet.stop()
    wait_for_end(connection)
    assert fleet.served() == recorded(connection)


def test_the_users_of_a_killed_worker_start_again_at_the_spawn_rate(fleet: Fleet) -> None:
    fleet.start("w1", "w2")
    fleet.swarm(20)
    fleet.wait_for_users(20)
    fleet.swarm(20, spawn_rate="2")

    fleet.end("w2", signal.SIGKILL)
    wait_until(lambda: fleet.state()["users"] <= 12, "the loss seen", 10)

    seen = watch(fleet, 2)
    assert max(seen) <= 16
    fleet.wait_for_users(20)


def test_a_worker_that_joins_gets_its_part_at_the_spawn_rate_and_users_stay(fleet: Fleet) -> None:
    fleet.start("w1")
    fleet.swarm(20, spawn_rate="5")
    fleet.wait_for_users(20)
    fleet.start_worker("w2")
    fleet.wait_for_workers(2)

    seen: list[int] = []

    def even() -> bool:
        seen.append(fleet.state()["users"])
        return users_per_worker(fleet) == [10, 10]

    wait_until(even, "an even division", 60)
    assert max(seen) == 20
    assert min(seen) >= 18


def test_weights_and_limits_decide_who_runs_how_many_and_whom_nobody_runs_is_told(
    fleet: Fleet,
) -> None:
    fleet.start("w1", WORKER_WEIGHT="3")
    fleet.start_worker("w2", WORKER_WEIGHT="1", MAX_USERS_PER_WORKER="8")
    fleet.wait_for_workers(2)
    fleet.swarm(24)
    fleet.wait_for_users(24)
    assert users_per_worker(fleet) == [6, 18]

    fleet.end("w1")
    fleet.wait_for_users(8)

    wait_until(lambda: fleet.metrics("master")["locust_users_over_capacity"] == 16, "the metric")
    [problem] = fleet.state()["problems"]
    assert problem.startswith("16 of 24 users do not run: 1 workers may run 8 at most.")
    wait_until(lambda: "16 of 24 users do not run" in fleet.log("master"), "the log")


def test_no_more_is_lost_with_killed_workers_than_the_events_of_the_run_say(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    names = ["w1", "w2", "w3", "w4"]
    fleet.start(*names)
    fleet.swarm(40)
    fleet.wait_for_users(40)
    fleet.wait_for_requests(3000)

    for number, name in enumerate(names[:3]):
        time.sleep(number * 0.9)
        fleet.end(name, signal.SIGKILL)
    fleet.wait_for_workers(1)
    fleet.wait_for_users(40)
    fleet.stop()

    wait_for_end(connection)
    bounds = connection.execute("SELECT detail FROM run_events WHERE kind = 'worker lost'")
    lost = [detail["requests"] for (detail,) in bounds]
    assert len(lost) == 3
    assert 0 < fleet.served() - recorded(connection) <= sum(lost)


def test_least_loaded_gives_less_to_the_worker_whose_users_cost_more(fleet: Fleet) -> None:
    fleet.start(locustfile=UNEQUAL, DISPATCH="least_loaded", REBALANCE_INTERVAL="10")
    fleet.start_worker("cheap", BURN_MS="4")
    fleet.start_worker("dear", BURN_MS="12")
    fleet.wait_for_workers(2)
    fleet.swarm(40)
    fleet.wait_for_users(40)
    assert users_per_worker(fleet) == [20, 20]

    wait_until(lambda: users_per_worker(fleet)[0] <= 14, "users moved", 60)

    assert sum(users_per_worker(fleet)) in range(36, 41)


def test_connections_of_users_are_closed_when_their_run_ends(fleet: Fleet) -> None:
    fleet.start("w1")
    before = fleet.open_files("w1")
    fleet.swarm(50)
    fleet.wait_for_requests(200)
    assert fleet.open_files("w1") >= before + 50

    fleet.stop()

    # Some are for asking how it is.
    wait_until(lambda: fleet.open_files("w1") <= before + 5, "closed connections", 10)
