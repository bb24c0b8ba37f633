"""Arrivals at a rate: so many customers come per second, however long each of them takes.

The stages are in open_model.yaml, beside this file. Users are those who may shop at the same time;
a customer who finds none free is dropped, and counted. docs/open-model.md says more.

    locust -f open_model.py --host http://demo-target:8000 --users 100 --spawn-rate 50

Settings (`SCENARIO_*` in .env reaches every Locust process):

SCENARIO_ARRIVALS   another file with stages, beside this one; default open_model.yaml
"""

from __future__ import annotations

from locust import SequentialTaskSet, between, task

import os
import random

from locust_fleet.users import ArrivalRate, FleetHttpUser


class Customer(FleetHttpUser):
    """Mostly looks at something, and sometimes buys it."""

    arrivals = ArrivalRate(os.environ.get("SCENARIO_ARRIVALS") or "open_model.yaml")
    # To think, in a journey; when the next customer comes does not depend on it.
    wait_time = between(0.1, 0.5)

    @task(4)
    def look_around(self) -> None:
        self.client.get("/products")

    @task(1)
    class Journey(SequentialTaskSet):
        """One iteration: from the home page to a product, and away."""

        @task
        def arrive(self) -> None:
            self.client.get("/")

        @task
        def look_at_a_product(self) -> None:
            self.client.get(f"/products/{random.randint(1, 20)}", name="/products/<id>")

        @task
        def leave(self) -> None:
            self.interrupt()
