"""What the next leader knows of the workers, whatever became of them and of leaders before it."""

import signal
from typing import Any

import redis

from locust_fleet.election.lease import CHECKPOINT_KEY
from tests.support.fleet import Fleet, NewFleet
from tests.support.runs import SHOPPERS, kill_and_restart
from tests.support.waiting import wait_until

WORKERS = ("w1", "w2")
NUMBERED = """
from locust import User, constant, task

class Teller(User):
    wait_time = constant(0.2)

    @task
    def tell(self):
        print("number", self.environment.runner.worker_index, flush=True)
"""
# The first of two shapes is what each master begins with.
PICKED = (
    SHOPPERS
    + """
from locust import LoadTestShape

class Ends(LoadTestShape):
    def tick(self):
        return None

class Lasts(LoadTestShape):
    def tick(self):
        return 6, 6
"""
)


def wait_for_checkpoint(client: redis.Redis) -> None:
    """Wait for one that is written from now on."""
    before: Any = client.hget(CHECKPOINT_KEY, "data")
    wait_until(lambda: client.hget(CHECKPOINT_KEY, "data") != before, "another checkpoint")


def run_and_hang(fleet: Fleet) -> None:
    """Let both workers of a run hang."""
    fleet.start(*WORKERS)
    fleet.swarm(10)
    fleet.wait_for_users(10)
    for worker in WORKERS:
        fleet.freeze(worker)


def wake(fleet: Fleet) -> None:
    for worker in WORKERS:
        fleet.wake(worker)


def goes_on_with(fleet: Fleet, users: int) -> None:
    wait_until(fleet.has_resumed, "the run going on")
    fleet.wait_for_users(users, timeout_s=30)
    assert fleet.state()["state"] == "running"


def test_a_leader_that_dies_before_it_knows_the_workers_loses_none_of_them(
    fleet: Fleet, client: redis.Redis
) -> None:
    run_and_hang(fleet)

    fleet.end("master", signal.SIGKILL)
    fleet.start_master()
    wait_for_checkpoint(client)
    fleet.end("master", signal.SIGKILL)
    wake(fleet)
    fleet.start_master()

    goes_on_with(fleet, 10)


def test_a_run_whose_workers_were_all_missed_goes_on_when_they_are_back(
    fleet: Fleet, client: redis.Redis
) -> None:
    run_and_hang(fleet)
    fleet.wait_for_workers(0)
    wait_for_checkpoint(client)

    fleet.end("master", signal.SIGKILL)
    fleet.start_master()
    wake(fleet)

    goes_on_with(fleet, 10)


def test_workers_keep_their_numbers(new_fleet: NewFleet, redis_env: dict[str, str]) -> None:
    fleet = new_fleet(NUMBERED, redis_env)
    fleet.start("w0")
    fleet.start_worker("w1")
    fleet.wait_for_workers(2)
    fleet.swarm(2)
    wait_until(lambda: "number 1" in fleet.log("w1"), "the second worker telling its number")

    # The second one is there first.
    fleet.freeze("w0")
    fleet.end("master", signal.SIGKILL)
    fleet.start_master()
    fleet.wait_for_workers(1)
    fleet.wake("w0")
    goes_on_with(fleet, 2)
    told = fleet.log("w0").count("number"), fleet.log("w1").count("number")
    wait_until(lambda: fleet.log("w0").count("number") > told[0] + 2, "w0 going on")
    wait_until(lambda: fleet.log("w1").count("number") > told[1] + 2, "w1 going on")

    assert "number 1" not in fleet.log("w0")
    assert "number 0" not in fleet.log("w1")


def test_the_shape_that_was_picked_goes_on(new_fleet: NewFleet, redis_env: dict[str, str]) -> None:
    env = {**redis_env, "LOCUST_USERCLASS_PICKER": "true"}
    fleet = new_fleet(PICKED, env)
    fleet.start("w1")
    fleet.swarm(4, shape_class="Lasts", user_classes="Shopper")
    fleet.wait_for_users(6)

    kill_and_restart(fleet)

    goes_on_with(fleet, 6)
