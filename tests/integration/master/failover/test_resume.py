"""A run goes on when its master is killed: nothing is lost, nothing doubled, no user stops."""

import json
import os
import random
import signal
import threading
import time
from functools import partial
from typing import Any

import psycopg

from locust_fleet.election.leadership import STEPPED_DOWN
from locust_fleet.election.lease import CHECKPOINT_KEY, LEASE_KEY, LeaderLease
from locust_fleet.master.failover.checkpoint_store import unpack
from locust_fleet.settings.stores import RedisSettings
from tests.support.fleet import Fleet, NewFleet
from tests.support.redis import redis_client
from tests.support.runs import (
    SHOPPERS,
    ignoring_errors,
    kill_and_restart,
    recorded,
    runs,
    stopped_users,
    wait_for_end,
)
from tests.support.waiting import BUSY_S, wait_until

KILLS = int(os.environ.get("MASTER_KILLS", "4"))
# Nearly all of it is the start of a Python process, which takes long where others want the CPU:
# so the quickest is what can be told from this machine.
CONTINUES_WITHIN_S = 5.0
SHAPED = (
    SHOPPERS
    + """
from locust import LoadTestShape

class Steps(LoadTestShape):
    def tick(self):
        seconds = self.get_run_time()
        if seconds < 6:
            return 4, 4
        if seconds < 14:
            return 8, 8
        return None
"""
)

BUYERS = """
from locust import HttpUser, constant, task

class Announced(HttpUser):
    abstract = True
    wait_time = constant(0.1)

    def on_start(self):
        print(type(self).__name__, "starts", flush=True)

    def on_stop(self):
        print(type(self).__name__, "ends", flush=True)

class Guest(Announced):
    @task
    def look(self):
        self.client.get("/products")

class Buyer(Announced):
    @task
    def buy(self):
        self.client.get("/products")

    @task
    def look(self):
        print("a buyer looks", flush=True)
"""


def has_stopped(connection: psycopg.Connection, run_id: str) -> bool:
    return (run_id, "stopped") in runs(connection)


def test_requests_made_are_counted_once_whenever_the_master_is_killed(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    fleet.start("w1", "w2", "w3")
    run_id = fleet.swarm(30)["run_id"]
    fleet.wait_for_users(30)
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    print(f"seed {seed}")

    times = []
    for _ in range(KILLS):
        # Anywhere between two reports of a worker, or cuts of a sample.
        time.sleep(chance.uniform(0, 6))
        times.append(kill_and_restart(fleet))
        assert fleet.state()["users"] == 30
        assert stopped_users(fleet, "w1", "w2", "w3") == 0
    print("continued after", [round(seconds, 1) for seconds in times])
    fleet.stop()

    wait_for_end(connection, "stopped")
    assert runs(connection) == [(run_id, "stopped")]
    assert fleet.served() == fleet.state()["totals"]["requests"] == recorded(connection)
    assert min(times) < CONTINUES_WITHIN_S + BUSY_S


def test_a_ramp_up_goes_on_from_where_it_was(fleet: Fleet, connection: psycopg.Connection) -> None:
    fleet.start("w1", "w2")
    fleet.swarm(24, spawn_rate="4")
    wait_until(lambda: 4 <= fleet.state()["users"] < 16, "the ramp-up")

    kill_and_restart(fleet)

    assert fleet.state()["users"] < 24
    fleet.wait_for_users(24)
    assert stopped_users(fleet, "w1", "w2") == 0
    fleet.stop()
    wait_for_end(connection, "stopped")
    assert fleet.served() == recorded(connection)


def test_a_stop_that_comes_while_a_run_begins_ends_it(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    fleet.start("w1")
    for _ in range(10):
        run_id = fleet.swarm(2)["run_id"]
        fleet.stop()

        wait_until(partial(has_stopped, connection, run_id), "the run closed", 10)


def test_the_ui_shows_the_run_with_its_history(fleet: Fleet, redis_settings: RedisSettings) -> None:
    fleet.start("w1")
    before = fleet.swarm(5)["run_id"]
    wait_until(lambda: bool(history(fleet)), "a row of the charts", 15)
    row = history(fleet)[0]
    wait_until(lambda: row in saved(redis_settings)["history"], "the row being kept", 5)

    kill_and_restart(fleet)

    state = fleet.state()
    assert (state["state"], state["run"]["id"], state["target_users"]) == ("running", before, 5)
    assert history(fleet)[0]["time"] == row["time"]


def history(fleet: Fleet) -> Any:
    page = fleet.page("/")
    start = page.index("window.templateArgs = ") + len("window.templateArgs = ")
    return json.JSONDecoder().raw_decode(page[start:])[0]["history"]


def test_a_run_ends_when_its_time_is_over_whoever_leads(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    fleet.start("w1", "w2")
    fleet.swarm(10, run_time="9s")
    fleet.wait_for_users(10)

    kill_and_restart(fleet)

    wait_for_end(connection, "finished")
    query = "SELECT extract(epoch FROM ended_at - started_at) FROM runs"
    row = connection.execute(query).fetchone()
    assert row is not None
    assert 8.5 < row[0] < 13
    assert fleet.served() == recorded(connection)


def test_a_run_whose_time_is_over_while_no_master_is_there_ends_all_the_same(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    fleet.start("w1", "w2")
    fleet.swarm(10, run_time="5s")
    fleet.wait_for_users(10)
    fleet.end("master", signal.SIGKILL)

    wait_until(lambda: stopped_users(fleet, "w1", "w2") == 10, "the workers ending it", 15)
    served = fleet.served()
    fleet.start_master()

    wait_for_end(connection, "finished")
    assert fleet.served() == served == recorded(connection)


def test_a_shape_goes_on_with_its_own_clock(fleet: Fleet, connection: psycopg.Connection) -> None:
    fleet.start("w1", "w2", locustfile=SHAPED)
    fleet.swarm(1)
    fleet.wait_for_users(4)

    kill_and_restart(fleet)

    fleet.wait_for_users(8)
    assert stopped_users(fleet, "w1", "w2") == 0
    wait_for_end(connection, "finished")
    query = "SELECT extract(epoch FROM ended_at - started_at) FROM runs"
    row = connection.execute(query).fetchone()
    assert row is not None
    assert 13 < row[0] < 18
    assert fleet.served() == recorded(connection)


def test_a_stop_that_a_kill_interrupts_is_carried_out(
    fleet: Fleet, connection: psycopg.Connection, redis_settings: RedisSettings
) -> None:
    slow = SHOPPERS.replace("/products", "/slow?ms=4000")
    fleet.start("w1", "w2", locustfile=slow)
    fleet.swarm(6)
    fleet.wait_for_users(6)
    threading.Thread(target=ignoring_errors, args=(fleet.stop,)).start()
    wait_until(lambda: fleet.state()["state"] == "stopping", "the stop")
    wait_until(lambda: saved(redis_settings)["recorder"]["stopped_by"], "the stop being kept", 3)

    kill_and_restart(fleet)

    wait_for_end(connection, "stopped")
    assert fleet.served() == recorded(connection)


def test_the_users_of_a_worker_that_died_with_the_master_start_elsewhere(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    fleet.start("w1", "w2")
    fleet.swarm(10)
    fleet.wait_for_users(10)
    fleet.end("w2", signal.SIGKILL)

    kill_and_restart(fleet)

    fleet.wait_for_users(10)
    assert stopped_users(fleet, "w1") == 0


def test_a_run_whose_workers_died_with_the_master_loads_nothing_again(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    fleet.start("w1")
    fleet.swarm(5)
    fleet.wait_for_requests(20)
    fleet.end("master", signal.SIGKILL)
    fleet.end("w1", signal.SIGKILL)
    served = fleet.served()

    fleet.start_master()
    fleet.start_worker("w2")

    wait_for_end(connection, "stopped")
    assert fleet.served() == served
    fleet.wait_for_workers(1)
    assert fleet.swarm(1)["success"]


def test_what_was_set_for_a_class_of_users_holds_for_who_comes_later(
    new_fleet: NewFleet, redis_env: dict[str, str]
) -> None:
    fleet = new_fleet(BUYERS, redis_env)
    fleet.start("w1")
    fleet.set_user(user_class_name="Buyer", weight=3, tasks=["buy"])
    fleet.swarm(8)
    fleet.wait_for_users(8)

    kill_and_restart(fleet)
    fleet.start_worker("w2")
    wait_until(lambda: present(fleet, "Buyer", "w2") == 3, "half of the buyers there")

    assert present(fleet, "Buyer", "w1") == 3
    assert "a buyer looks" not in fleet.log("w1") + fleet.log("w2")


def present(fleet: Fleet, user_class: str, worker: str) -> int:
    log = fleet.log(worker)
    return log.count(f"{user_class} starts") - log.count(f"{user_class} ends")


def test_a_run_outlives_a_redis_that_lost_everything(
    fleet: Fleet, redis_settings: RedisSettings
) -> None:
    fleet.start("w1")
    run_id = fleet.swarm(5)["run_id"]
    fleet.wait_for_users(5)
    client = redis_client(redis_settings)
    client.flushall()
    wait_until(lambda: bool(client.hexists(CHECKPOINT_KEY, "data")), "the state written again", 5)

    kill_and_restart(fleet)

    assert fleet.state()["run"]["id"] == run_id
    assert stopped_users(fleet, "w1") == 0


def test_a_master_yields_to_a_later_one_and_leaves_its_workers_alone(
    fleet: Fleet, redis_settings: RedisSettings
) -> None:
    fleet.start("w1")
    fleet.swarm(5)
    fleet.wait_for_users(5)

    client = redis_client(redis_settings)
    client.delete(LEASE_KEY)
    LeaderLease(redis_settings, "another", lambda: "127.0.0.1:1", priority=0, timeout_s=5).acquire(
        1
    )

    wait_until(lambda: fleet.exit_code("master") == STEPPED_DOWN, "the earlier master ending", 5)
    assert stopped_users(fleet, "w1") == 0
    assert fleet.exit_code("w1") is None


def test_users_without_a_master_stop_in_the_end_and_start_again_when_one_comes(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    fleet.start("w1", "w2", GHOST_LIMIT="5")
    fleet.swarm(10)
    fleet.wait_for_users(10)
    fleet.end("master", signal.SIGKILL)

    wait_until(lambda: stopped_users(fleet, "w1", "w2") == 10, "the users stopping", 15)
    assert fleet.exit_code("w1") is None
    fleet.start_master()

    fleet.wait_for_users(10)
    fleet.stop()
    wait_for_end(connection, "stopped")
    assert fleet.served() == recorded(connection)


def test_a_run_goes_on_and_can_be_stopped_while_redis_is_away(
    fleet: Fleet, connection: psycopg.Connection, redis_settings: RedisSettings
) -> None:
    fleet.start("w1")
    fleet.swarm(5)
    fleet.wait_for_requests(50)
    client = redis_client(redis_settings)
    # It takes connections and answers nobody, which is worse than not being there.
    client.client_pause(10_000)
    counted = fleet.state()["totals"]["requests"]
    fleet.wait_for_requests(counted + 50)

    fleet.stop()

    assert fleet.state()["state"] == "stopped"
    assert runs(connection)[0][1] == "running"
    wait_for_end(connection, "stopped")
    assert fleet.served() == recorded(connection)


def saved(settings: RedisSettings) -> Any:
    """Return the checkpoint as the next master would find it."""
    client = redis_client(settings)
    packed: Any = client.hget(CHECKPOINT_KEY, "data")
    return unpack(packed)
