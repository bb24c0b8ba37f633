"""Whatever comes in by HTTP is done as it was said, or refused with a sentence; nothing breaks."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest

from locust_fleet.runtime import postgres
from locust_fleet.settings.stores import PostgresSettings
from tests.support.fleet import FRONT_SECRET, Fleet
from tests.support.postgres import MIGRATIONS
from tests.support.shop import Shop
from tests.support.waiting import wait_until

SHOPPERS = """
from locust import HttpUser, constant, events, task

@events.init_command_line_parser.add_listener
def add_arguments(parser):
    parser.add_argument("--rounds", type=int, default=1)

class Buyer(HttpUser):
    wait_time = constant(0.1)

    @task
    def products(self):
        self.client.get("/products")
"""
USERS = 4
# Each with what its sentence says.
SETTINGS: list[tuple[Any, str]] = [
    ({"user_class_name": "Nope", "weight": 1}, "user_class_name is 'Nope'; use one of: Buyer"),
    ({"weight": 1}, "user_class_name is None"),
    ({"user_class_name": "Buyer", "weight": "abc"}, "weight is 'abc'; use a whole number"),
    ({"user_class_name": "Buyer", "weight": 2.5}, "weight is 2.5"),
    ({"user_class_name": "Buyer", "weight": True}, "weight is True"),
    ({"user_class_name": "Buyer", "weight": 10**30}, "weight is 1000"),
    ({"user_class_name": "Buyer", "fixed_count": "x"}, "fixed_count is 'x'"),
    ({"user_class_name": "Buyer", "weight": 0}, "leaves no class with users"),
    ({"user_class_name": "Buyer", "tasks": ["sell"]}, "tasks has 'sell'"),
    ({"user_class_name": "Buyer", "tasks": "products"}, "tasks is 'products'"),
    ({"user_class_name": "Buyer", "host": 5}, "host is 5"),
    ({"user_class_name": "Buyer", "wait_time": 0}, "'wait_time' cannot be set"),
    ([1], "Send a JSON object"),
    (None, "Send a JSON object"),
    ("Buyer", "Send a JSON object"),
    (b"", "not JSON"),
    (b"\xff\xfe\xfd", "not JSON"),
    (b"[" * 60_000, "nested too deeply"),
    (b'{"user_class_name": "Buyer", "weight": NaN}', "NaN is not JSON"),
    (b'{"weight": 1, "weight": 2, "user_class_name": "Buyer"}', "'weight' is given twice"),
]
STARTS: list[tuple[bytes, str]] = [
    (b"user_count=+3000000000&spawn_rate=1", "user_count is 3000000000"),
    (b"user_count=%2B5&spawn_rate=1", "user_count is '+5'"),
    ("user_count=\u0665&spawn_rate=1".encode(), "user_count is '\u0665'"),
    (b"user_count=1_0&spawn_rate=1", "user_count is '1_0'"),
    (b"user_count=1e3&spawn_rate=1", "user_count is 1000.0"),
    (b"user_count=-1&spawn_rate=1", "user_count is '-1'"),
    (b"spawn_rate=1", "user_count is None"),
    (b"user_count=5&user_count=6&spawn_rate=1", "user_count stands 2 times"),
    (b"user_count=5&spawn_rate=nan", "spawn_rate is 'nan'"),
    (b"user_count=5&spawn_rate=1e999", "spawn_rate is inf"),
    (b"user_count=5&spawn_rate=0", "spawn_rate is 0"),
    (b"user_count=5&spawn_rate=1&run_time=9999h", "run_time is '9999h'"),
    (b"user_count=5&spawn_rate=1&run_time=soon", "run_time is 'soon'"),
    (b"user_count=5&spawn_rate=1&rounds=many", "rounds is 'many'"),
    (b"user_count=5&spawn_rate=1&rounds=99999999999999999999", "rounds is '9999"),
    (b"user_count=5&spawn_rate=1&fleet_run=x", "fleet_run cannot be set"),
    (b"user_count=5&spawn_rate=1&stop_timeout=x", "stop_timeout cannot be set"),
    (b"user_count=5&spawn_rate=1&user_classes=Nope", "user_classes cannot be chosen"),
    (b"\xff\xfe%ff%00", "user_count is None"),
    (b"", "user_count is None"),
]


def post(
    fleet: Fleet, path: str, body: bytes, method: str = "POST", kind: str = ""
) -> tuple[int, dict[str, Any]]:
    """Ask the master as a program does that says what it likes; returns status and JSON."""
    headers = {"X-Fleet-Front": FRONT_SECRET, "X-Fleet-User": "alice", "Content-Type": kind}
    request = urllib.request.Request(fleet.web + path, body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.fixture(scope="module")
def database(postgres_server: PostgresSettings) -> Iterator[psycopg.Connection]:
    """A database of its own: the one of other tests is emptied with each of them."""
    with postgres.connect(postgres_server) as connection:
        connection.execute("CREATE DATABASE door")
    with postgres.connect(at(postgres_server)) as connection:
        postgres.migrate(connection, MIGRATIONS)
        yield connection
    with postgres.connect(postgres_server) as connection:
        connection.execute("DROP DATABASE door WITH (FORCE)")


def at(server: PostgresSettings) -> PostgresSettings:
    return PostgresSettings(server.host, server.port, "door", server.user, server.password)


@pytest.fixture(scope="module")
def fleet(
    tmp_path_factory: pytest.TempPathFactory,
    postgres_server: PostgresSettings,
    database: psycopg.Connection,
    shop: Shop,
) -> Iterator[Fleet]:
    """A run of a few users, which all of this may not disturb."""
    fleet = Fleet(tmp_path_factory.mktemp("door"), at(postgres_server), shop, SHOPPERS)
    try:
        fleet.start("w1")
        fleet.swarm(USERS)
        fleet.wait_for_users(USERS)
        yield fleet
    finally:
        fleet.end_all()


@pytest.mark.parametrize(("body", "sentence"), SETTINGS)
def test_a_setting_that_a_class_cannot_have_is_refused(
    fleet: Fleet, body: Any, sentence: str
) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()

    status, answer = post(fleet, "/user", raw)

    assert (status, answer["code"]) == (422, "bad_input")
    assert sentence in answer["message"]


@pytest.mark.parametrize(("body", "sentence"), STARTS)
def test_a_start_that_is_not_clear_is_refused(fleet: Fleet, body: bytes, sentence: str) -> None:
    status, answer = post(fleet, "/swarm", body, kind="application/x-www-form-urlencoded")

    # Locust's page shows the message of an answer with status 200 only.
    assert (status, answer["success"], answer["code"]) == (200, False, "bad_input")
    assert sentence in answer["message"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/swarm", b"user_count=" + b"5" * 70_000, 413),
        ("POST", "/user", b" " * 70_000, 413),
        ("PUT", "/swarm", b"", 405),
        ("DELETE", "/user", b"", 405),
        ("BREW", "/stop", b"", 405),
        ("PATCH", "/stats/reset", b"", 405),
        ("POST", "/fleet/run", b"", 405),
        ("POST", "/fleet/nothing", b"", 404),
        ("POST", "/login", b"", 405),
    ],
)
def test_a_request_that_cannot_be_read_gets_a_sentence(
    fleet: Fleet, method: str, path: str, body: bytes, status: int
) -> None:
    kind = "application/x-www-form-urlencoded"

    assert post(fleet, path, body, method, kind)[0] == status


@pytest.mark.parametrize("host", ["http://127.0.0.35", "http://127.0.0.34:1"])
def test_the_host_cannot_change_in_a_run(fleet: Fleet, host: str) -> None:
    assert fleet.swarm(USERS, host=host)["code"] == "run_active"
    assert fleet.state()["run"]["host"] == fleet.target


def test_a_second_start_names_who_runs_what(fleet: Fleet) -> None:
    answer = fleet.swarm(USERS, user="bob")

    assert answer["code"] == "run_active"
    assert "alice runs busy.py" in answer["message"]


@pytest.mark.parametrize("path", ["/", "/stats/requests", "/fleet/run", "/assets/x.js"])
def test_nobody_gets_round_the_front(fleet: Fleet, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(fleet.web + path, timeout=5)


def test_none_of_it_has_cost_a_user_a_request_or_the_run(
    fleet: Fleet, database: psycopg.Connection
) -> None:
    for body, _ in SETTINGS:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        post(fleet, "/user", raw)
    before = fleet.state()["totals"]["requests"]
    fleet.wait_for_requests(before + 50)

    state = fleet.state()
    fleet.stop()

    assert (state["users"], state["workers"]) == (USERS, 1)
    assert "Traceback" not in fleet.log("master") + fleet.log("w1")
    query = "SELECT state, users FROM runs"
    wait_until(lambda: database.execute(query).fetchall() == [("stopped", USERS)], "the run closed")
    recorded = database.execute("SELECT sum(requests) FROM run_totals").fetchone()
    assert recorded == (fleet.served(),)


def test_what_was_accepted_is_what_runs(fleet: Fleet, database: psycopg.Connection) -> None:
    form = {"user_count": " 003 ", "spawn_rate": "1e2", "run_time": "1m30s", "rounds": "7"}
    # The run of the other tests.
    fleet.stop()

    status, answer = post(
        fleet, "/swarm", urlencode(form).encode(), kind="application/x-www-form-urlencoded"
    )
    assert (status, answer["success"]) == (200, True)
    fleet.wait_for_users(3)
    fleet.stop()

    query = "SELECT users, spawn_rate, run_time_s FROM runs WHERE id = %s"
    row = (answer["run_id"],)
    wait_until(lambda: database.execute(query, row).fetchone() == (3, 100, 90), "the run recorded")
