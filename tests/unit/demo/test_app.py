"""The demo shop, asked through Flask's own client."""

from __future__ import annotations

import time
from typing import Any

import pytest
from flask.testing import FlaskClient

from locust_fleet.demo import create_app


@pytest.fixture
def shop() -> FlaskClient:
    return create_app().test_client()


def sign_in(shop: FlaskClient, user: str = "ann") -> dict[str, str]:
    token = shop.post("/login", json={"user": user, "password": "any"}).get_json()["token"]
    return {"Authorization": f"Bearer {token}"}


def stats(shop: FlaskClient) -> dict[str, Any]:
    answer: dict[str, Any] = shop.get("/stats").get_json()
    return answer


def test_home_is_a_page_of_the_demo_shop(shop: FlaskClient) -> None:
    answer = shop.get("/")
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    assert "Demo shop" in answer.text


def test_a_product_is_the_same_alone_as_in_the_list(shop: FlaskClient) -> None:
    products = shop.get("/products").get_json()["products"]
    assert len(products) == 20
    for product in products:
        assert shop.get(f"/products/{product['id']}").get_json() == product


@pytest.mark.parametrize("path", ["/products/0", "/products/21", "/products/x", "/nowhere"])
def test_what_does_not_exist_is_a_404_with_a_sentence(shop: FlaskClient, path: str) -> None:
    answer = shop.get(path)
    assert answer.status_code == 404
    assert answer.get_json()["error"]


def test_another_method_than_the_route_has_is_a_405_that_says_which(shop: FlaskClient) -> None:
    answer = shop.get("/login")
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == {"OPTIONS", "POST"}
    assert answer.get_json()["error"]


@pytest.mark.parametrize("user", ["ann", "Zoë", "用户", "a.b", "x" * 500])
def test_somebody_signed_in_can_buy(shop: FlaskClient, user: str) -> None:
    answer = shop.post("/purchase", json={"product_id": "3"}, headers=sign_in(shop, user))
    assert answer.status_code == 201
    assert answer.get_json() == {
        "product": {"id": "3", "name": "candle", "price": 849},
        "user": user,
    }


@pytest.mark.parametrize(
    "body",
    [None, {}, [], {"user": "ann"}, {"user": "", "password": "x"}, {"user": 1, "password": 2}],
)
def test_signing_in_without_user_and_password_is_a_422(shop: FlaskClient, body: object) -> None:
    assert shop.post("/login", json=body).status_code == 422


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Basic YTpi",
        "Bearer 616e6e.0",
        "Bearer zz.zz",
        "Bearer ü",
    ],
)
def test_without_a_token_of_ours_nothing_is_sold(shop: FlaskClient, header: str) -> None:
    headers = {"Authorization": header} if header else {}
    answer = shop.post("/purchase", json={"product_id": "3"}, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("body", [{}, {"product_id": "99"}, {"product_id": None}, ["3"], "3"])
def test_an_unknown_product_is_a_422(shop: FlaskClient, body: object) -> None:
    assert shop.post("/purchase", json=body, headers=sign_in(shop)).status_code == 422


def test_a_number_is_as_good_a_product_id_as_its_digits(shop: FlaskClient) -> None:
    answer = shop.post("/purchase", json={"product_id": 3}, headers=sign_in(shop))
    assert answer.get_json()["product"]["id"] == "3"


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_an_upload_is_told_its_size(shop: FlaskClient, size: int) -> None:
    assert shop.post("/upload", data=bytes(size)).get_json() == {"bytes": size}


def test_heartbeat_answers_ok(shop: FlaskClient) -> None:
    assert shop.post("/heartbeat").get_json() == {"status": "ok"}


def test_slow_waits_as_long_as_asked(shop: FlaskClient) -> None:
    started = time.monotonic()
    shop.get("/slow?ms=50")
    assert time.monotonic() - started >= 0.05


def test_slow_waits_a_minute_at_most(shop: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    shop.get("/slow?ms=99999999")
    assert waited == [60]


@pytest.mark.parametrize("path", ["/slow?ms=x", "/slow?ms=-1", "/flaky?rate=nan", "/flaky?rate=2"])
def test_a_number_that_is_none_is_a_400_that_names_it(shop: FlaskClient, path: str) -> None:
    answer = shop.get(path)
    assert answer.status_code == 400
    assert path.partition("?")[2].partition("=")[0] in answer.get_json()["error"]


@pytest.mark.parametrize(("rate", "expected"), [("0", {200}), ("1", {500}), ("0.5", {200, 500})])
def test_flaky_fails_at_the_rate_asked_for(
    shop: FlaskClient, rate: str, expected: set[int]
) -> None:
    assert {shop.get(f"/flaky?rate={rate}").status_code for _ in range(100)} == expected


def test_redirect_sends_anywhere(shop: FlaskClient) -> None:
    answer = shop.get("/redirect?to=http://elsewhere.example:81/x?y=z")
    assert answer.status_code == 302
    assert answer.headers["Location"] == "http://elsewhere.example:81/x?y=z"


def test_redirect_to_nowhere_is_a_400(shop: FlaskClient) -> None:
    assert shop.get("/redirect").status_code == 400


def test_everything_served_is_counted_by_its_route(shop: FlaskClient) -> None:
    headers = sign_in(shop)
    for path in ["/", "/products", "/products/1", "/products/2", "/products/none", "/a", "/b"]:
        shop.get(path)
    shop.post("/purchase", json={"product_id": "1"}, headers=headers)
    shop.post("/purchase")
    shop.get("/flaky?rate=1")
    assert stats(shop) == {
        "endpoints": {
            "GET (unknown)": 2,
            "GET /": 1,
            "GET /flaky": 1,
            "GET /products": 1,
            "GET /products/<id>": 3,
            "POST /login": 1,
            "POST /purchase": 2,
        },
        "total": 11,
    }


def test_asking_for_counts_and_health_counts_nothing(shop: FlaskClient) -> None:
    assert shop.get("/health").text == "ok\n"
    stats(shop)
    assert stats(shop) == {"endpoints": {}, "total": 0}


def test_reset_forgets_the_counts(shop: FlaskClient) -> None:
    shop.get("/")
    assert shop.post("/stats/reset").get_json() == {"endpoints": {}, "total": 0}
    assert stats(shop)["total"] == 0


def test_a_token_outlives_the_shop_that_gave_it() -> None:
    headers = sign_in(create_app().test_client())
    answer = create_app().test_client().post("/purchase", json={"product_id": "1"}, headers=headers)
    assert answer.status_code == 201
