"""A load test to start from: user journeys, checks with reasons, a time budget, optional stages.

    locust -f production_test.py --host http://demo-target:8000

Change the journeys to those of your system; the rest can stay. Settings (`SCENARIO_*` in .env
reaches every Locust process):

SCENARIO_BUDGET_MS   an answer slower than this is a failure that says so; default 1000, 0: never
SCENARIO_STAGES      USERS:SECONDS[:RATE],... such as 50:120:10,200:600,50:60 : after one another
                     so many users for so long, started or stopped at RATE per second (default:
                     within a tenth of the stage). It then decides the number of users and the end
                     of the test, and what is typed in the UI does not. Default: empty, the UI does.

A part of it can be run alone with Locust's --tags browse or --tags buy.
"""

from __future__ import annotations

from locust import LoadTestShape, SequentialTaskSet, between, tag, task
from locust.exception import InterruptTaskSet

import os
import random
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from locust_fleet.users import FleetHttpUser

BUDGET_MS = float(os.environ.get("SCENARIO_BUDGET_MS") or 1000)


class ShopUser(FleetHttpUser):
    """What every customer can do. A wrong answer is a failure that says what was wrong."""

    abstract = True

    @contextmanager
    def checked(self, method: str, path: str, expected: int, **options: Any) -> Iterator[Any]:
        """Send a request; the with block may still call ``answer.failure(reason)``.

        Another status than the expected one, no answer, one later than the budget and a body that
        the with block cannot read are failures without further ado; after the last of these the
        rest of the block is left out. Ask ``answer.status_code`` before you read the body.
        """
        started = time.perf_counter()
        with self.client.request(method, path, catch_response=True, **options) as answer:
            # Measured here, so the time of the checks below is not charged to the system.
            took_ms = (time.perf_counter() - started) * 1000
            if answer.status_code == expected:
                if 0 < BUDGET_MS < took_ms:
                    answer.failure(f"slower than the budget of {BUDGET_MS:g} ms")
            # Without an answer the status is 0 and Locust's own reason is the better one.
            elif answer.status_code:
                answer.failure(f"answered {answer.status_code} instead of {expected}")
            try:
                yield answer
            except (ValueError, LookupError, TypeError, AttributeError) as error:
                # Locust would report the exception and forget that there was a request.
                answer.failure(f"a body that cannot be read: {error!r}")

    def home(self) -> None:
        with self.checked("GET", "/", 200) as answer:
            if answer.status_code == 200 and "Demo shop" not in (answer.text or ""):
                answer.failure("the home page is not that of the demo shop")

    def products(self) -> list[dict[str, Any]]:
        with self.checked("GET", "/products", 200) as answer:
            if answer.status_code == 200:
                products: list[dict[str, Any]] = answer.json()["products"]
                if not products:
                    answer.failure("the list of products is empty")
                return products
        return []

    def product(self, product: dict[str, Any]) -> None:
        # One name for all products: a name each would be a statistics entry each.
        path = f"/products/{product['id']}"
        with self.checked("GET", path, 200, name="/products/<id>") as answer:
            if answer.status_code == 200 and answer.json()["price"] != product["price"]:
                answer.failure("the product's page has another price than the list")

    def sign_in(self) -> str:
        body = {"user": f"buyer-{random.randrange(1_000_000)}", "password": "any will do"}
        with self.checked("POST", "/login", 200, json=body) as answer:
            if answer.status_code == 200:
                return str(answer.json()["token"])
        return ""

    def purchase(self, token: str, product: dict[str, Any]) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        order = {"product_id": product["id"]}
        with self.checked("POST", "/purchase", 201, json=order, headers=headers) as answer:
            if answer.status_code == 201 and answer.json()["product"]["id"] != product["id"]:
                answer.failure("bought another product than was ordered")


class Purchase(SequentialTaskSet):
    """From the home page to the order, in this order, with a pause between the steps."""

    user: ShopUser
    token = ""
    chosen: dict[str, Any] | None = None

    @task
    def arrive(self) -> None:
        self.user.home()

    @task
    def choose(self) -> None:
        products = self.user.products()
        self.chosen = random.choice(products) if products else None

    @task
    def sign_in(self) -> None:
        self.token = self.user.sign_in()

    @task
    def buy(self) -> None:
        # A step that failed has been counted; going on without it would count it twice.
        if self.token and self.chosen:
            self.user.purchase(self.token, self.chosen)

    @task
    def leave(self) -> None:
        raise InterruptTaskSet(reschedule=False)


class Customer(ShopUser):
    """Looks around most of the time, and goes through with a purchase now and then."""

    wait_time = between(1, 3)

    @tag("browse")
    @task(3)
    def look_at_products(self) -> None:
        for product in self.products()[:1]:
            self.product(product)

    @tag("browse")
    @task(2)
    def look_at_home(self) -> None:
        self.home()

    # A journey of its own, started as often as a task of weight 1.
    buy = tag("buy")(task(1)(Purchase))


@dataclass(frozen=True)
class Stage:
    """So many users for so long, reached at a rate of users per second."""

    users: int
    seconds: float
    rate: float

    @classmethod
    def parse(cls, text: str) -> Stage:
        """Read USERS:SECONDS[:RATE]; ValueError says what would be right."""
        match = re.fullmatch(r"(\d+):(\d+(?:\.\d+)?)(?::(\d+(?:\.\d+)?))?", text.strip())
        users, seconds, rate = match.groups() if match else ("0", "0", None)
        if float(seconds) <= 0 or (rate and float(rate) <= 0):
            raise ValueError(
                f"SCENARIO_STAGES holds '{text}'; use USERS:SECONDS[:RATE],... such as 50:120:10"
            )
        within_a_tenth = max(1.0, 10 * int(users) / float(seconds))
        return cls(int(users), float(seconds), float(rate or within_a_tenth))


STAGES = [Stage.parse(part) for part in os.environ.get("SCENARIO_STAGES", "").split(",") if part]

# Locust uses any shape class it finds and then ignores what is typed in the UI, so there is one
# only when it was asked for.
if STAGES:

    class Stages(LoadTestShape):
        """The stages of SCENARIO_STAGES, one after the other; then the test ends."""

        def tick(self) -> tuple[int, float] | None:
            left = time.perf_counter() - self.start_time
            for stage in STAGES:
                if left < stage.seconds:
                    return stage.users, stage.rate
                left -= stage.seconds
            return None
