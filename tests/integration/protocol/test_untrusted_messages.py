"""What anybody sends to a master or a worker costs no user, no request and no process."""

import math
import zlib
from collections.abc import Iterator
from typing import Any

import msgpack
import psycopg
import pytest
import zmq

from locust_fleet.settings.stores import RedisSettings
from tests.support.fleet import ADDRESS, Fleet, NewFleet
from tests.support.ports import free_port
from tests.support.redis import redis_environment
from tests.support.runs import SHOPPERS, recorded, wait_for_end
from tests.support.waiting import wait_until

# An array of three of which only the first element is there.
CUT = bytes.fromhex("93a568656c6c6f")
SENDER = b"somebody"


def said(kind: object, data: object, sender: object = SENDER.decode()) -> bytes:
    packed: bytes = msgpack.packb([kind, data, sender])
    return packed


TOTAL: dict[str, Any] = {
    "name": "Aggregated",
    "method": "",
    "last_request_timestamp": None,
    "start_time": 1.0,
    "num_requests": 0,
    "num_none_requests": 0,
    "num_failures": 0,
    "total_response_time": 0,
    "max_response_time": 0,
    "min_response_time": None,
    "total_content_length": 0,
    "response_times": {},
    "num_reqs_per_sec": {},
    "num_fail_per_sec": {},
}
AROUND = {"user_count": 0, "user_classes_count": {}, "errors": {}}
NOBODY: dict[str, Any] = {"fleet_run": None, "state": "ready", "users": {}}


def empty() -> dict[str, Any]:
    """What a worker without requests counted."""
    return {"stats": [], "stats_total": TOTAL}


# What a connection that calls itself SENDER sends, in frames.
TO_MASTER = [
    [CUT],
    [b""],
    [b"\xff" * 1000],
    [b"\x91" * 5000],
    [b"one", b"two", b"three"],
    [said("heartbeat", None, "another")],
    [said("heartbeat", None, None)],
    [said("heartbeat", None)],
    [said("heartbeat", {"state": [], "current_cpu_usage": "much"})],
    [said(5, None)],
    [said("stats", None)],
    [said("stats", {"stats": 5, "errors": [], "user_count": -1})],
    [said("client_ready", {"version": 5})],
    [said("client_stopped", [1])],
    [said("exception", "text")],
    [said("logs", 5)],
    [said("fleet_here", {"users": 5})],
    [said("data", {"with": 5})],
    [said("fleet_arrivals", None)],
    [said("heartbeat", None, [SENDER.decode(), 2**63])],
    [said("leaving", None, [SENDER.decode(), 2**63 - 1])],
    [said("capacity", {"weight": 0, "max_users": 0})],
    [said("fleet_here", {**NOBODY, "user_classes_count": {"Shopper": 10**18}})],
    # What reads well, and whose counts cannot be; two bytes would become gigabytes.
    [said("stats", {**AROUND, **empty(), "stats_total": {**TOTAL, "num_requests": 2**64 - 1}})],
    [said("stats", {**AROUND, **empty(), "stats_total": {**TOTAL, "start_time": math.inf}})],
    [said("stats", {**AROUND, "fleet_stats": zlib.compress(b"\x80" * (64 << 20), 9)})],
]
# What is told to a worker that obeys whoever speaks.
TO_WORKER = [
    CUT,
    b"",
    b"\xff" * 1000,
    said("ack", 5),
    said("spawn", None),
    said("spawn", {"user_classes_count": {"Shopper": "many"}}),
    said("update_user_class", {"user_class_name": "Nope", "weight": 1}),
    said("update_user_class", {"weight": 1}),
    said("update_user_class", None),
    said("spawning_complete", None),
    said("fleet_kept", 5),
    said("fleet_wanted", {}),
    said("heartbeat", None, [5, 5]),
    said("heartbeat", None, ["w", "x"]),
    said([], None),
]


@pytest.fixture
def fleet(new_fleet: NewFleet, redis_settings: RedisSettings) -> Fleet:
    return new_fleet(SHOPPERS, redis_environment(redis_settings))


@pytest.fixture
def somebody(fleet: Fleet) -> Iterator[zmq.Socket[bytes]]:
    """A connection to the port of the master."""
    context = zmq.Context()
    connection = context.socket(zmq.DEALER)
    connection.setsockopt(zmq.IDENTITY, SENDER)
    connection.connect(f"tcp://{fleet.lease_address}")
    yield connection
    context.destroy(linger=0)


def dropped(fleet: Fleet, name: str, metric: str) -> float:
    return sum(value for series, value in fleet.metrics(name).items() if series.startswith(metric))


def test_messages_that_cannot_be_read_cost_a_run_nothing(
    fleet: Fleet, somebody: "zmq.Socket[bytes]", connection: psycopg.Connection
) -> None:
    fleet.start("w1", "w2")
    fleet.swarm(20)
    fleet.wait_for_users(20)
    before = fleet.state()["totals"]["requests"]

    for frames in TO_MASTER:
        somebody.send_multipart(frames)

    wait_until(
        lambda: dropped(fleet, "master", "locust_messages_dropped_total") == len(TO_MASTER),
        "all of them being dropped",
    )
    fleet.wait_for_requests(before + 50)
    state = fleet.state()
    assert (state["users"], state["workers"]) == (20, 2)
    assert all(fleet.exit_code(name) is None for name in ("master", "w1", "w2"))
    fleet.stop()
    wait_for_end(connection, "stopped")
    assert fleet.served() == recorded(connection)


def test_a_master_says_once_for_each_cause_what_it_drops(
    fleet: Fleet, somebody: "zmq.Socket[bytes]"
) -> None:
    fleet.start("w1")

    for _ in range(20):
        somebody.send(CUT)

    wait_until(
        lambda: dropped(fleet, "master", "locust_messages_dropped_total") == 20, "20 dropped"
    )
    assert fleet.log("master").count("a message is dropped") == 1


def test_a_report_that_cannot_be_read_is_set_aside_and_those_after_it_count(
    fleet: Fleet, somebody: "zmq.Socket[bytes]", connection: psycopg.Connection
) -> None:
    fleet.start("w1")
    somebody.send(said("client_ready", "2.47.0"))
    fleet.wait_for_workers(2)
    fleet.swarm(4)
    fleet.wait_for_requests(1)
    run = fleet.state()["run"]["id"]
    report = {**AROUND, "fleet_run": run}

    for number, counted in ((1, {"fleet_stats": b"?"}), (2, empty())):
        numbered = {**report, **counted, "fleet_number": number, "fleet_oldest": 1}
        somebody.send(said("stats", numbered))

    # Both are acknowledged, so their worker may forget them.
    wait_until(lambda: kept(somebody) == 2, "both being counted")
    [letter] = (fleet.folder / "spool" / "dead").glob("report-*.bin")
    assert "somebody" in letter.with_suffix(".txt").read_text()
    assert b"'fleet_stats': b'?'" in letter.read_bytes()
    assert any("spool/dead" in problem for problem in fleet.state()["problems"])
    fleet.stop()
    wait_for_end(connection, "stopped")
    [lost] = connection.execute(
        "SELECT detail FROM run_events WHERE kind = 'report lost'"
    ).fetchall()
    assert lost[0] == {"worker": "somebody", "number": 1}


def kept(somebody: "zmq.Socket[bytes]") -> int:
    """Return up to which of its reports the master has everything, by what it said since."""
    highest = 0
    while somebody.poll(0):
        kind, data, _ = msgpack.unpackb(somebody.recv(), strict_map_key=False)
        if kind == "fleet_kept":
            highest = max(highest, data["fleet_number"])
    return highest


def test_a_worker_goes_on_whatever_it_is_told(fleet: Fleet) -> None:
    port = free_port(ADDRESS)
    context = zmq.Context()
    master = context.socket(zmq.ROUTER)
    master.bind(f"tcp://{ADDRESS}:{port}")
    without_redis = {"REDIS_WORKER_PASSWORD": "", "LOCUST_MASTER_NODE_PORT": str(port)}
    try:
        fleet.start_worker("w1", **without_redis)
        worker = wait_for(master, "client_ready")
        # Before it has put its parts together, and after.
        master.send_multipart([worker, said("ack", {"index": 0}, worker.decode())])
        master.send_multipart([worker, TO_WORKER[-1]])
        master.send_multipart([worker, said("update_user_class", {"user_class_name": "Nope"})])
        wait_for(master, "heartbeat")

        for message in TO_WORKER:
            master.send_multipart([worker, message])
        master.send_multipart([worker, said("fleet_who", None, worker.decode())])

        wait_for(master, "fleet_here")
        assert fleet.exit_code("w1") is None
        counted = dropped(fleet, "w1", "locust_worker_messages_dropped_total")
        assert counted == len(TO_WORKER) + 2
    finally:
        context.destroy(linger=0)


def wait_for(master: "zmq.Socket[bytes]", kind: str) -> bytes:
    """Return who sends the next message of a type."""
    while master.poll(15_000):
        sender, packed = master.recv_multipart()
        if msgpack.unpackb(packed, strict_map_key=False)[0] == kind:
            return sender
    raise AssertionError(f"no {kind} within 15 s")
