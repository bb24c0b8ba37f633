"""Data that all workers share: accounts of which nobody has the same, one counter, one lock.

The accounts are in shared_accounts.csv, the vouchers in shared_vouchers.jsonl, beside this file.
With plain Locust everything works as well, within its one process.

    locust -f shared_data.py --host http://demo-target:8000
"""

from __future__ import annotations

from locust import between, task

import logging

from locust_fleet import data
from locust_fleet.users import FleetHttpUser

# A user waits until an account is free; a voucher is used once, and then they begin anew.
data.source("accounts", "shared_accounts.csv")
data.source("vouchers", "shared_vouchers.jsonl", when_empty="recycle")

log = logging.getLogger(__name__)


class Customer(FleetHttpUser):
    """Signs in with an account that nobody else uses meanwhile, and buys with a voucher."""

    wait_time = between(0.5, 1.5)

    def on_start(self) -> None:
        # Something that only one user of all workers may do at a time, and only once in a run.
        with data.lock("prepare"):
            if data.counter("prepared").value == 0:
                log.info("prepared by one of %d workers", len(data.members("active_workers")))
                data.counter("prepared").next()

    @task
    def buy(self) -> None:
        # Given back at the end of the block, however it ends.
        with data.lease("accounts") as account:
            body = {"user": account["user"], "password": account["password"]}
            with self.client.post("/login", json=body, catch_response=True) as answer:
                if answer.status_code != 200:
                    return
                token = answer.json()["token"]
            with data.lease("vouchers") as voucher:
                self.order(token, voucher["product_id"])
                voucher.use_up()

    def order(self, token: str, product_id: int) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        order = {"product_id": product_id}
        with self.client.post(
            "/purchase", json=order, headers=headers, catch_response=True
        ) as answer:
            if answer.status_code == 201:
                # No other order of this run has the same number.
                log.debug("order %d", data.counter("orders").next())
            else:
                answer.failure(f"the order was answered {answer.status_code}")

    @task
    def look_around(self) -> None:
        self.client.get("/products")
        busiest = max(data.requests().values(), default=0)
        log.debug("the busiest worker has made %d requests", busiest)
