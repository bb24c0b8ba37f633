"""Shop at the demo target: sign in once, then browse, look at the home page and buy.

A plain Locust file; it needs nothing of this project:

    locust -f demo_shop.py --host http://demo-target:8000
"""

from __future__ import annotations

from locust import FastHttpUser, between, task

import random
from typing import Any


def content(answer: Any) -> dict[str, Any]:
    """Return the JSON object in an answer; none is like an empty one, which no check accepts."""
    try:
        body = answer.json()
    except (TypeError, ValueError):
        # Locust would report an exception here and forget that there was a request.
        return {}
    return body if isinstance(body, dict) else {}


class Shopper(FastHttpUser):
    """A customer, who browses more than he looks at the home page, and buys least."""

    wait_time = between(1, 3)
    token = ""

    def on_start(self) -> None:
        self.sign_in()

    @task(3)
    def browse_products(self) -> None:
        with self.client.get("/products", catch_response=True) as answer:
            products = content(answer).get("products", [])
            # A wrong status is a failure already; whether the content is right, only we know.
            if answer.status_code == 200 and not products:
                answer.failure("the list of products is empty")
        if products:
            self.look_at(random.choice(products))

    @task(2)
    def look_at_home(self) -> None:
        with self.client.get("/", catch_response=True) as answer:
            if answer.status_code == 200 and "Demo shop" not in (answer.text or ""):
                answer.failure("the home page is not that of the demo shop")

    @task(1)
    def purchase(self) -> None:
        if not self.token:
            self.sign_in()
        headers = {"Authorization": f"Bearer {self.token}"}
        order = {"product_id": str(random.randint(1, 20))}
        with self.client.post(
            "/purchase", json=order, headers=headers, catch_response=True
        ) as answer:
            if answer.status_code == 401:
                answer.failure("the shop no longer knows the token")
                self.token = ""
            elif answer.status_code == 201:
                bought = content(answer).get("product", {}).get("id")
                if bought != order["product_id"]:
                    answer.failure(f"ordered product {order['product_id']}, got {bought}")

    def look_at(self, product: dict[str, object]) -> None:
        # One name for all products: a name each would be a statistics entry each.
        with self.client.get(
            f"/products/{product['id']}", name="/products/<id>", catch_response=True
        ) as answer:
            if answer.status_code == 200 and content(answer) != product:
                answer.failure("the product's page differs from the list")

    def sign_in(self) -> None:
        name = f"shopper-{random.randrange(1_000_000)}"
        body = {"user": name, "password": "any will do"}
        with self.client.post("/login", json=body, catch_response=True) as answer:
            if answer.status_code == 200:
                self.token = content(answer).get("token", "")
                if not self.token:
                    answer.failure("signed in, but got no token")
