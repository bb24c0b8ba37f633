"""The products of the demo shop; fixed, so that a scenario can check every answer."""

from __future__ import annotations

from typing import TypedDict


class Product(TypedDict):
    """One article; the price is in cents."""

    id: str
    name: str
    price: int


NAMES = (
    "anvil", "bucket", "candle", "drum", "easel", "funnel", "globe", "hammer", "inkwell", "jug",
    "kettle", "ladder", "mirror", "notebook", "oar", "pillow", "quilt", "rope", "saw", "teapot",
)  # fmt: skip

PRODUCTS: dict[str, Product] = {
    str(number): {"id": str(number), "name": name, "price": 250 * number + 99}
    for number, name in enumerate(NAMES, start=1)
}
