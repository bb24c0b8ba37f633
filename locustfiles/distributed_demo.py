"""Show which process does what: each logs its role when it starts, and around every test.

Look for "node" in the logs of master and workers. Each worker buys from its own share of the
catalogue, which is how test data is divided without a store.

    locust -f distributed_demo.py --host http://demo-target:8000
"""

from __future__ import annotations

from locust import between, events, task
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

import logging

from locust_fleet.users import FleetHttpUser

PRODUCTS = 20

log = logging.getLogger(__name__)


def node(environment: Environment) -> str:
    """Say what this process is: the master, worker number n, or everything in one."""
    runner = environment.runner
    if isinstance(runner, MasterRunner):
        return "the master"
    if isinstance(runner, WorkerRunner):
        # The master numbers its workers from 0, in the order in which they arrived.
        return f"worker {runner.worker_index}"
    return "standalone"


@events.init.add_listener
def log_role(environment: Environment, **_: object) -> None:
    log.info("node is %s", node(environment))


@events.test_start.add_listener
def log_start(environment: Environment, **_: object) -> None:
    log.info("node %s starts a test against %s", node(environment), environment.host)


@events.test_stop.add_listener
def log_stop(environment: Environment, **_: object) -> None:
    total = environment.stats.total
    log.info(
        "node %s stops; it knows of %d requests, %d of them failed",
        node(environment),
        total.num_requests,
        total.num_failures,
    )


class Customer(FleetHttpUser):
    """A customer who looks at one product and reports that he is still there."""

    wait_time = between(1, 3)

    @task(2)
    def look_at_own_share(self) -> None:
        product_id = str(self.share() % PRODUCTS + 1)
        with self.client.get(
            f"/products/{product_id}", name="/products/<id>", catch_response=True
        ) as answer:
            if answer.status_code == 200 and f'"id":"{product_id}"' not in answer.text:
                answer.failure(f"asked for product {product_id}, got {answer.text[:60]}")

    @task(1)
    def report(self) -> None:
        with self.client.post("/heartbeat", catch_response=True) as answer:
            if answer.status_code == 200 and "ok" not in answer.text:
                answer.failure("the heartbeat was not acknowledged")

    def share(self) -> int:
        runner = self.environment.runner
        return runner.worker_index if isinstance(runner, WorkerRunner) else 0
