"""Serve a shop and count its requests, to compare them with those that Locust counts.

Answers are small and mostly made in advance, so that the load generator is the slower side.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from hashlib import blake2b
from hmac import compare_digest
from math import isfinite
from typing import cast

from flask import Flask, Response, jsonify, make_response, redirect, request
from werkzeug.exceptions import BadRequest, HTTPException, NotFound, UnprocessableEntity

from locust_fleet.demo.catalogue import PRODUCTS

SLOWEST_MS = 60_000
UPLOAD_CHUNK_BYTES = 256 * 1024
# It protects nothing, as any password signs in. A fixed key lets tokens survive a restart.
TOKEN_KEY = b"locust-fleet demo target"
# Reading the counts must not change them, nor may the health check.
UNCOUNTED = frozenset({"/stats", "/stats/reset", "/health"})
HOME_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Demo shop</title></head>
<body><h1>Demo shop</h1><p><a href="/products">Products</a></p></body>
</html>
"""


def create_app() -> Flask:
    """Return the shop.

    Answers are JSON, except pages and redirects; errors are ``{"error": sentence}``. The counts are
    in this process, so serve it with a single process.
    """
    app = Flask(__name__, static_folder=None)
    served: Counter[str] = Counter()
    _add_shop(app)
    _add_test_routes(app)
    _add_counts(app, served)
    app.register_error_handler(HTTPException, _error)
    return app


def _add_shop(app: Flask) -> None:
    product_list = list(PRODUCTS.values())

    @app.get("/")
    def home() -> Response:
        return Response(HOME_PAGE, mimetype="text/html")

    @app.get("/products")
    def products() -> Response:
        return jsonify(products=product_list)

    @app.get("/products/<id>")
    def product(id: str) -> Response:  # noqa: A002 - the route is a key in /stats
        if id not in PRODUCTS:
            raise NotFound(f"there is no product {id!r}")
        return jsonify(PRODUCTS[id])

    @app.post("/login")
    def login() -> Response:
        body = _json_object()
        user, password = body.get("user"), body.get("password")
        if not isinstance(user, str) or not isinstance(password, str) or not user or not password:
            raise UnprocessableEntity("send JSON with a user and a password, both not empty")
        return jsonify(token=token_of(user), user=user)

    @app.post("/purchase")
    def purchase() -> Response:
        user = _signed_in_user()
        if user is None:
            return _refusal("sign in first: POST /login, then send Authorization: Bearer TOKEN")
        product_id = str(_json_object().get("product_id"))
        if product_id not in PRODUCTS:
            raise UnprocessableEntity(f"there is no product {product_id!r}")
        answer = jsonify(product=PRODUCTS[product_id], user=user)
        answer.status_code = 201
        return answer


def _add_test_routes(app: Flask) -> None:
    """Add what a load test needs besides a shop: slow, failing, large and redirected requests."""

    @app.post("/upload")
    def upload() -> Response:
        size = 0
        # Streamed: a hundred uploads at once must not need a hundred bodies of memory.
        while chunk := request.stream.read(UPLOAD_CHUNK_BYTES):
            size += len(chunk)
        return jsonify(bytes=size)

    @app.post("/heartbeat")
    def heartbeat() -> Response:
        return jsonify(status="ok")

    @app.get("/slow")
    def slow() -> Response:
        wait_ms = min(_number("ms", 1000.0), SLOWEST_MS)
        time.sleep(wait_ms / 1000)
        return jsonify(waited_ms=wait_ms)

    @app.get("/flaky")
    def flaky() -> Response:
        rate = _number("rate", 0.5)
        if rate > 1:
            raise BadRequest("rate is a probability, 0 to 1")
        # random() is below 1, so rate 1 always fails and rate 0 never does.
        answer = jsonify(status="ok")
        if random.random() < rate:
            answer = jsonify(error="failed on purpose")
            answer.status_code = 500
        return answer

    @app.get("/redirect")
    def redirect_to() -> Response:
        target = request.args.get("to", "")
        if not target:
            raise BadRequest("say where with ?to=URL")
        return make_response(redirect(target, code=302))


def _add_counts(app: Flask, served: Counter[str]) -> None:
    @app.after_request
    def count(response: Response) -> Response:
        template = str(request.url_rule) if request.url_rule else "(unknown)"
        if template not in UNCOUNTED:
            served[f"{request.method} {template}"] += 1
        return response

    @app.get("/health")
    def health() -> Response:
        return Response("ok\n", mimetype="text/plain")

    @app.get("/stats")
    def stats() -> Response:
        return jsonify(endpoints=dict(sorted(served.items())), total=served.total())

    @app.post("/stats/reset")
    def reset() -> Response:
        served.clear()
        return jsonify(endpoints={}, total=0)


def token_of(user: str) -> str:
    """Return the bearer token of a user: the name, and a proof that /login made it."""
    name = user.encode().hex()
    return f"{name}.{blake2b(name.encode(), key=TOKEN_KEY, digest_size=16).hexdigest()}"


def _signed_in_user() -> str | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer":
        return None
    try:
        user = bytes.fromhex(token.partition(".")[0]).decode()
    except ValueError:
        return None
    return user if compare_digest(token_of(user).encode(), token.encode()) else None


def _json_object() -> dict[str, object]:
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise UnprocessableEntity("send a JSON object")
    return cast(dict[str, object], body)


def _number(name: str, default: float) -> float:
    text = request.args.get(name)
    try:
        value = default if text is None else float(text)
    except ValueError:
        value = -1.0
    # float() also reads "nan" and "inf".
    if not isfinite(value) or value < 0:
        raise BadRequest(f"{name} is {text!r}; use a number from 0")
    return value


def _refusal(sentence: str) -> Response:
    answer = jsonify(error=sentence)
    answer.status_code = 401
    answer.headers["WWW-Authenticate"] = "Bearer"
    return answer


def _error(error: HTTPException) -> Response:
    answer = jsonify(error=error.description)
    answer.status_code = error.code or 500
    # Such as Allow of a 405, but not type and length of the page that this replaces.
    for name, value in error.get_headers():
        if name not in ("Content-Type", "Content-Length"):
            answer.headers[name] = value
    return answer
