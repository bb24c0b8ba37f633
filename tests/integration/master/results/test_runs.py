"""Requests made are requests counted, and users stay at their target, whoever leaves."""

import json
import signal
import threading

import psycopg
import pytest

from tests.support.fleet import Fleet, NewFleet
from tests.support.runs import recorded
from tests.support.waiting import wait_until

# Fast and short requests: many are under way whenever something happens.
BUSY = """
from locust import HttpUser, constant, task

class Shopper(HttpUser):
    wait_time = constant(0.05)

    @task
    def products(self):
        self.client.get("/products")
"""
SLOW = """
from locust import HttpUser, task

class Waiter(HttpUser):
    @task
    def slow(self):
        self.client.get("/slow?ms=3000", name="/slow")
"""
TALKATIVE = """
import random
from locust import HttpUser, constant, task

class Complainer(HttpUser):
    wait_time = constant(0.05)

    @task
    def complain(self):
        with self.client.get("/products", catch_response=True) as answer:
            answer.failure(str([random.random() for _ in range(2000)]))
"""
CHATTY = """
import logging
from locust import HttpUser, constant, task

class Chatterer(HttpUser):
    wait_time = constant(0.2)

    @task
    def talk(self):
        logging.getLogger("shop").warning("bought")
"""
PATIENT = """
from locust import FastHttpUser, HttpUser, task

class Plain(HttpUser):
    fixed_count = 1

    @task
    def slow(self):
        self.client.get("/slow?ms=5000", name="plain")
        self.client.get("/slow?ms=1500", name="patient", timeout=10)

class Quick(FastHttpUser):
    fixed_count = 1

    @task
    def slow(self):
        self.client.get("/slow?ms=5000", name="quick")
"""
REDIRECTED = """
from locust import FastHttpUser, constant, task

class Wanderer(FastHttpUser):
    wait_time = constant(0.05)

    @task
    def away(self):
        self.client.get("/redirect?to=http://127.0.0.35:1/", name="/redirect")
"""


@pytest.fixture
def fleet(new_fleet: NewFleet) -> Fleet:
    return new_fleet(BUSY)


def state_of_runs(connection: psycopg.Connection) -> list[str]:
    return [state for (state,) in connection.execute("SELECT state FROM runs ORDER BY id")]


def wait_for_end(connection: psycopg.Connection) -> None:
    """Wait until the last run is closed in Postgres, that is until everything before is there."""
    wait_until(lambda: "running" not in state_of_runs(connection), "the run closed in Postgres")


def test_a_run_ends_with_every_request_in_postgres_and_in_locust(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    fleet.start("w1", "w2")
    fleet.swarm(20)
    fleet.wait_for_requests(500)
    fleet.stop()

    counted = fleet.state()["totals"]["requests"]
    wait_for_end(connection)
    assert fleet.served() == counted == recorded(connection)


def test_the_next_run_can_start_at_once(fleet: Fleet) -> None:
    fleet.start("w1")
    fleet.swarm(5)
    fleet.wait_for_requests(20)
    fleet.stop()

    assert fleet.swarm(5)["success"]
    fleet.wait_for_users(5)


def test_a_run_time_that_ends_during_the_ramp_up_ends_the_load(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    fleet.start("w1", "w2")
    fleet.swarm(200, spawn_rate="5", run_time="4s")
    fleet.wait_for_requests(50)
    wait_for_end(connection)

    wait_until(lambda: fleet.state()["state"] == "stopped", "Locust itself stopped")
    assert state_of_runs(connection) == ["finished"]
    assert fleet.served() == recorded(connection)


def test_a_start_while_a_run_is_stopping_is_refused(fleet: Fleet) -> None:
    fleet.start("w1", locustfile=SLOW)
    fleet.swarm(2)
    wait_until(lambda: fleet.state()["users"] == 2, "users at work")
    stop = threading.Thread(target=fleet.stop)
    stop.start()
    wait_until(lambda: fleet.state()["state"] == "stopping", "the run stopping")

    answer = fleet.swarm(2)
    stop.join()

    assert answer["code"] == "run_active"
    assert "stopping" in answer["message"]


def test_a_failure_with_an_endless_text_does_not_stop_the_recording(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    fleet.start("w1", locustfile=TALKATIVE)
    fleet.swarm(2)
    fleet.wait_for_requests(10)
    fleet.stop()

    wait_for_end(connection)
    assert fleet.served() == recorded(connection)


def test_a_worker_that_is_stopped_in_a_run_leaves_no_request_uncounted(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    fleet.start("w1", "w2")
    fleet.swarm(20)
    fleet.wait_for_requests(300)
    assert fleet.end("w2") == 0
    fleet.wait_for_users(20)
    fleet.stop()

    wait_for_end(connection)
    assert fleet.served() == recorded(connection)


def test_three_workers_leave_together_and_neither_users_nor_counts_are_missing(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    fleet.start("w1", "w2", "w3", "w4")
    fleet.swarm(20)
    fleet.wait_for_users(20)

    fleet.signal("w2", "w3", "w4")
    fleet.wait_for_workers(1)
    fleet.wait_for_users(20, timeout_s=10)
    fleet.stop()

    wait_for_end(connection)
    assert fleet.served() == recorded(connection)


def test_users_of_a_killed_worker_are_back_within_ten_seconds(fleet: Fleet) -> None:
    fleet.start("w1", "w2")
    fleet.swarm(20)
    fleet.wait_for_users(20)

    fleet.end("w2", signal.SIGKILL)

    wait_until(lambda: fleet.state()["users"] == 10, "the loss seen", 10)
    fleet.wait_for_users(20, timeout_s=10)


def test_a_stopped_master_ends_its_run_in_order(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    fleet.start("w1", "w2")
    fleet.swarm(20)
    fleet.wait_for_requests(300)

    assert fleet.end("master") == 0

    assert state_of_runs(connection) == ["stopped"]
    assert fleet.served() == recorded(connection)
    assert len(list(fleet.folder.glob("reports/*/report.html"))) == 1


def test_a_run_whose_master_was_killed_is_closed_as_lost_by_the_next(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    fleet.start("w1")
    fleet.swarm(5)
    wait_until(lambda: recorded(connection) > 0, "the first sample")
    fleet.end("master", signal.SIGKILL)

    fleet.start_master()

    wait_until(lambda: state_of_runs(connection) == ["lost"], "the run closed as lost")


def test_a_worker_of_an_earlier_master_is_taken_over_without_its_users(fleet: Fleet) -> None:
    fleet.start("w1")
    fleet.swarm(5)
    fleet.wait_for_users(5)
    fleet.end("master", signal.SIGKILL)
    fleet.start_master()

    wait_until(
        lambda: "the master stops it" in fleet.log("master"), "the run of before being noticed"
    )
    fleet.wait_for_workers(1)
    fleet.wait_for_users(0)


def test_results_wait_while_postgres_is_away_and_none_is_missing_after(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    fleet.start("w1")
    # Nobody listens there: for this master, Postgres is away.
    fleet.end("master")
    fleet.start_master(POSTGRES_PORT="1")
    fleet.start_worker("w2")
    fleet.wait_for_workers(1)
    fleet.swarm(10)
    fleet.wait_for_requests(200)
    fleet.end("master")
    assert recorded(connection) == 0

    fleet.start_master()

    wait_until(lambda: recorded(connection) == fleet.served(), "every request in Postgres")


def test_a_run_outside_the_allow_list_is_refused_and_in_the_audit_log(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    fleet.start("w1")

    answer = fleet.swarm(5, host="http://127.0.0.35")

    assert answer["code"] == "target_refused"
    assert "is not in ALLOWED_TARGETS" in answer["message"]
    query = "SELECT actor, allowed FROM audit_log"
    wait_until(lambda: bool(connection.execute(query).fetchone()), "an audit entry")
    assert connection.execute(query).fetchall() == [("alice", False)]


def test_an_autostart_outside_the_allow_list_is_refused(fleet: Fleet) -> None:
    fleet.start_master(
        LOCUST_HOST="http://127.0.0.35", LOCUST_AUTOSTART="true", LOCUST_EXPECT_WORKERS="1"
    )
    fleet.start_worker("w1")
    fleet.wait_for_workers(1)

    wait_until(lambda: "refused start a run by autostart" in fleet.log("master"), "a refusal")
    assert fleet.state()["run"] is None


def test_a_start_without_workers_says_so(fleet: Fleet) -> None:
    fleet.start()

    assert fleet.swarm(5)["code"] == "no_workers"


def test_a_redirect_out_of_the_allow_list_is_refused_and_an_event_of_the_run(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    fleet.start("w1", locustfile=REDIRECTED)
    fleet.swarm(2)

    query = "SELECT detail->>'target' FROM run_events WHERE kind = 'target refused'"
    wait_until(lambda: bool(connection.execute(query).fetchone()), "the event")
    assert connection.execute(query).fetchall() == [("http://127.0.0.35:1",)]


def test_a_run_outlives_the_restart_of_every_worker(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    fleet.start("w1", "w2")
    fleet.swarm(10)
    fleet.wait_for_users(10)

    fleet.signal("w1", "w2")
    fleet.wait_for_workers(0)
    fleet.start_worker("w3")
    fleet.wait_for_users(10)
    fleet.stop()

    wait_for_end(connection)
    assert fleet.served() == recorded(connection)


def test_every_line_of_the_log_is_json_and_names_worker_and_run(fleet: Fleet) -> None:
    fleet.start("w1", locustfile=CHATTY)
    fleet.swarm(1)
    wait_until(lambda: "bought" in fleet.log("w1"), "a line of the scenario")
    run = fleet.state()["run"]["id"]
    fleet.stop()
    assert fleet.end("w1") == 0

    lines = {
        name: [json.loads(line) for line in fleet.log(name).splitlines()]
        for name in ("master", "w1", "target")
    }

    [said, *_] = [line for line in lines["w1"] if line["message"] == "bought"]
    assert (said["level"], said["logger"]) == ("WARNING", "shop")
    assert (said["run_id"], said["test_name"]) == (run, "busy.py")
    assert said["worker"]
    assert "run_id" not in lines["w1"][-1]
    assert (run, "alice") in {(line.get("run_id"), line.get("user_id")) for line in lines["master"]}


def test_users_wait_no_longer_for_an_answer_than_is_set(fleet: Fleet) -> None:
    fleet.start("w1", locustfile=PATIENT, NETWORK_TIMEOUT="1")
    fleet.swarm(2)

    def failures() -> dict[str, tuple[int, int]]:
        rows = fleet.ask("/stats/requests")["stats"]
        return {row["name"]: (row["num_requests"], row["num_failures"]) for row in rows}

    wait_until(lambda: {"plain", "patient", "quick"} <= set(failures()), "each kind of request")
    found = failures()
    assert found["plain"][0] == found["plain"][1]
    assert found["quick"][0] == found["quick"][1]
    assert found["patient"][1] == 0
