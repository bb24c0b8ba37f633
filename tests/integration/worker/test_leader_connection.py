"""Workers keep to the leader: whoever was it before is refused, whoever is it now is found."""

import threading
import time
from typing import Any

import msgpack
import psycopg
import pytest
import zmq

from locust_fleet.election.leadership import STEPPED_DOWN
from locust_fleet.settings.stores import RedisSettings
from tests.support.cable import Cable
from tests.support.fleet import ADDRESS, Fleet, NewFleet
from tests.support.ports import free_port
from tests.support.redis import redis_environment
from tests.support.runs import (
    SHOPPERS,
    ignoring_errors,
    kill_and_restart,
    recorded,
    stopped_users,
    wait_for_end,
)
from tests.support.waiting import wait_until

SECOND = "127.0.0.82"
AWAY_S = 20
# A lease of 5 s, and two heartbeats and a half of 1 s.
FOUND_WITHIN_S = 10
NO_REDIS = {"REDIS_WORKER_PASSWORD": ""}


@pytest.fixture
def fleet(new_fleet: NewFleet, redis_settings: RedisSettings) -> Fleet:
    redis_env = redis_environment(redis_settings)
    return new_fleet(SHOPPERS, redis_env)


def wait_for_leader(fleet: Fleet, name: str) -> float:
    """Return the seconds until it leads and has the run."""
    began = time.monotonic()
    wait_until(lambda: fleet.leader() == name, f"{name} leading", FOUND_WITHIN_S)
    wait_until(fleet.has_resumed, "the run going on", FOUND_WITHIN_S)
    return time.monotonic() - began


def users_of(fleet: Fleet, *workers: str) -> int:
    return sum(round(fleet.metrics(worker)["locust_worker_users"]) for worker in workers)


def epoch_of(fleet: Fleet, worker: str) -> int:
    return int((fleet.ready(worker)["leader"] or {"epoch": 0})["epoch"])


def test_a_paused_leader_is_left_for_the_next_and_cannot_come_back(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    fleet.start("w1", "w2")
    fleet.start_standby("second", SECOND)
    fleet.swarm(20)
    fleet.wait_for_users(20)
    before = epoch_of(fleet, "w1")

    fleet.freeze("master")
    print("leads after", round(wait_for_leader(fleet, "second"), 1))

    assert fleet.state()["users"] == users_of(fleet, "w1", "w2") == 20
    assert fleet.ready("w1")["leader"]["address"].startswith(f"{SECOND}:")
    assert epoch_of(fleet, "w1") > before
    fleet.wake("master")
    wait_until(lambda: fleet.exit_code("master") == STEPPED_DOWN, "the earlier one ending", 5)
    assert stopped_users(fleet, "w1", "w2") == 0
    fleet.stop()
    wait_for_end(connection, "stopped")
    assert fleet.served() == recorded(connection)


def test_workers_without_a_run_follow_the_next_leader(fleet: Fleet) -> None:
    fleet.start("w1", "w2")
    fleet.start_standby("second", SECOND)

    fleet.freeze("master")
    wait_for_leader(fleet, "second")
    fleet.wait_for_workers(2)

    fleet.swarm(6)
    fleet.wait_for_users(6)
    assert users_of(fleet, "w1", "w2") == 6


def test_a_worker_that_missed_the_change_of_leader_doubles_no_user(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    cable = start_far(fleet)
    fleet.start_worker("w2")
    fleet.wait_for_workers(2)
    fleet.start_standby("second", SECOND)
    fleet.swarm(20)
    fleet.wait_for_users(20)

    cable.cut()
    fleet.freeze("master")
    wait_for_leader(fleet, "second")
    fleet.wait_for_users(20)
    assert (users_of(fleet, "w1"), users_of(fleet, "w2")) == (10, 20)
    cable.plug_into(SECOND)
    cable.mend()

    wait_until(lambda: users_of(fleet, "w1") == 0, "the doubled users ending", 10)
    wait_until(lambda: users_of(fleet, "w1") == users_of(fleet, "w2") == 10, "a division", 20)
    assert fleet.state()["users"] == 20
    fleet.stop()
    wait_for_end(connection, "stopped")
    assert fleet.served() == recorded(connection)


def test_a_ramp_up_goes_on_under_the_next_leader(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    fleet.start("w1", "w2")
    fleet.start_standby("second", SECOND)
    fleet.swarm(60, spawn_rate="4")
    wait_until(lambda: fleet.state()["users"] >= 8, "the ramp-up")

    fleet.freeze("master")
    users = users_of(fleet, "w1", "w2")
    wait_for_leader(fleet, "second")

    assert users <= fleet.state()["users"] < 60
    fleet.wait_for_users(60, timeout_s=25)
    assert stopped_users(fleet, "w1", "w2") == 0
    assert users_of(fleet, "w1", "w2") == 60
    fleet.stop()
    wait_for_end(connection, "stopped")
    assert fleet.served() == recorded(connection)


def test_a_stop_that_its_leader_did_not_live_to_see_is_carried_out_by_the_next(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    fleet.start("w1", locustfile=SHOPPERS.replace("/products", "/slow?ms=8000"))
    fleet.start_standby("second", SECOND)
    fleet.swarm(6)
    fleet.wait_for_users(6)
    leader = fleet.ready("w1")["leader"]
    ask_to_stop(fleet)
    wait_until(lambda: fleet.state()["state"] == "stopping", "the stop")
    # The leader saves that it stops within a tenth of a second; it is not seen from outside.
    time.sleep(1)

    fleet.freeze("master")

    wait_until(lambda: fleet.leader() == "second", "the next one leading", FOUND_WITHIN_S)
    wait_for_end(connection, "stopped")
    assert fleet.ready("w1")["leader"] != leader
    assert fleet.served() == recorded(connection)


def test_a_worker_that_was_cut_off_gives_its_reports_once_and_doubles_no_user(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    cable = start_far(fleet)
    fleet.swarm(10)
    fleet.wait_for_users(10)

    cable.cut()
    time.sleep(AWAY_S)
    assert users_of(fleet, "w1") == 10
    assert not fleet.ready("w1")["ready"]
    cable.mend()

    wait_until(lambda: bool(fleet.ready("w1")["ready"]), "the worker finding its leader", 5)
    fleet.wait_for_users(10)
    assert users_of(fleet, "w1") <= 10
    fleet.stop()
    wait_for_end(connection, "stopped")
    assert fleet.served() == recorded(connection)
    assert fleet.metrics("w1")["locust_worker_reconnects_total"] > 0


def test_a_moment_without_the_network_stops_no_user(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    cable = start_far(fleet)
    fleet.swarm(10)
    fleet.wait_for_users(10)

    cable.cut()
    # Long enough to be missed by two heartbeats.
    time.sleep(4)
    cable.mend()

    wait_until(lambda: bool(fleet.ready("w1")["ready"]), "the worker finding its leader", 5)
    # Nothing happens, which cannot be waited for.
    time.sleep(4)
    assert users_of(fleet, "w1") == fleet.state()["users"] == 10
    assert stopped_users(fleet, "w1") == 0
    fleet.stop()
    wait_for_end(connection, "stopped")
    assert fleet.served() == recorded(connection)


@pytest.mark.parametrize("away_s", [3, AWAY_S])
def test_a_stop_reaches_a_worker_when_it_is_back(
    fleet: Fleet, connection: psycopg.Connection, away_s: int
) -> None:
    cable = start_far(fleet)
    fleet.swarm(10)
    fleet.wait_for_users(10)

    cable.cut()
    # A cable that is cut shows nowhere yet; the stop is to find it cut.
    time.sleep(1)
    ask_to_stop(fleet)
    time.sleep(away_s - 1)
    assert users_of(fleet, "w1") == 10
    cable.mend()

    wait_until(lambda: stopped_users(fleet, "w1") == 10, "the users stopping", 5)
    served = fleet.served()
    wait_for_end(connection, "stopped")
    # Nothing happens, which cannot be waited for.
    time.sleep(3)
    assert fleet.served() == served
    assert users_of(fleet, "w1") == 0
    assert recorded(connection) == served


def test_what_a_worker_did_that_was_cut_off_counts_under_the_next_leader_of_a_stopped_run(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    cable = start_far(fleet)
    fleet.start_worker("w2")
    fleet.wait_for_workers(2)
    fleet.swarm(10)
    fleet.wait_for_users(10)

    cable.cut()
    # A cable that is cut shows nowhere yet; the stop is to find it cut.
    time.sleep(1)
    ask_to_stop(fleet)
    wait_until(lambda: fleet.state()["state"] == "stopping", "the stop")
    # Long enough for the leader to have saved it.
    time.sleep(1)
    kill_and_restart(fleet)
    # Longer than the next leader waits before it counts the worker as missing.
    time.sleep(8)
    cable.mend()

    wait_for_end(connection, "stopped")
    assert users_of(fleet, "w1", "w2") == 0
    assert recorded(connection) == fleet.served()


def test_a_run_whose_time_ends_while_a_worker_is_cut_off_waits_for_its_reports(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    cable = start_far(fleet)
    fleet.start_worker("w2")
    fleet.wait_for_workers(2)
    fleet.swarm(10, run_time="5s")
    fleet.wait_for_users(10)
    time.sleep(2)

    cable.cut()
    time.sleep(15)
    cable.mend()

    wait_for_end(connection, "finished")
    assert recorded(connection) == fleet.served()


def test_a_worker_without_a_leader_stops_its_load_and_waits(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    cable = start_far(fleet, GHOST_LIMIT="6")
    fleet.swarm(10)
    fleet.wait_for_users(10)

    cable.cut()
    wait_until(lambda: stopped_users(fleet, "w1") == 10, "the users stopping", 12)
    time.sleep(3)
    assert (fleet.exit_code("w1"), users_of(fleet, "w1")) == (None, 0)
    assert fleet.ready("w1")["leader"] is None
    cable.mend()

    fleet.wait_for_users(10)
    assert users_of(fleet, "w1") == 10
    fleet.stop()
    wait_for_end(connection, "stopped")
    assert fleet.served() == recorded(connection)


def test_a_worker_on_another_host_follows_its_address_to_the_next_leader(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    cable = start_far(fleet)
    fleet.start_standby("second", SECOND)
    fleet.swarm(10)
    fleet.wait_for_users(10)

    fleet.freeze("master")
    wait_until(lambda: fleet.leader() == "second", "the next one leading", FOUND_WITHIN_S)
    cable.plug_into(SECOND)

    wait_for_leader(fleet, "second")
    assert fleet.state()["users"] == users_of(fleet, "w1") == 10
    assert stopped_users(fleet, "w1") == 0
    fleet.stop()
    wait_for_end(connection, "stopped")
    assert fleet.served() == recorded(connection)


def test_a_worker_that_hangs_does_not_mistake_it_for_the_leader(fleet: Fleet) -> None:
    fleet.start("w1")
    before = fleet.ready("w1")["leader"]

    fleet.freeze("w1")
    time.sleep(AWAY_S)
    fleet.wake("w1")

    time.sleep(3)
    assert fleet.ready("w1")["leader"] == before
    assert fleet.metrics("w1")["locust_worker_reconnects_total"] == 0


class StaleLeader:
    """A master whose time is over, and who goes on to command."""

    def __init__(self, host: str, port: int) -> None:
        self._router: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.ROUTER)
        self._router.setsockopt(zmq.RCVTIMEO, 15_000)
        self._router.bind(f"tcp://{host}:{port}")

    def close(self) -> None:
        self._router.close(linger=0)

    def hear(self) -> tuple[bytes, int]:
        """Return who says something, and the epoch that it knows."""
        who, said = self._router.recv_multipart()
        _, _, (_, epoch) = msgpack.unpackb(said, strict_map_key=False)
        return who, int(epoch)

    def say(self, who: bytes, kind: str, data: Any, epoch: int) -> None:
        self._router.send_multipart([who, msgpack.packb((kind, data, [who.decode(), epoch]))])


def test_a_stale_leader_is_not_obeyed_and_learns_that_it_is_over(fleet: Fleet) -> None:
    cable = start_far(fleet)
    run_id = fleet.swarm(10)["run_id"]
    fleet.wait_for_users(10)
    known = epoch_of(fleet, "w1")
    port = free_port(SECOND)
    stale = StaleLeader(SECOND, port)
    cable.plug_into(SECOND, port)

    worker, told = stale.hear()
    for epoch in (known - 1, 0):
        nobody = {"timestamp": time.time() + 60, "user_classes_count": {"Shopper": 0}}
        spawn = {**nobody, "host": "http://elsewhere", "stop_timeout": 0, "parsed_options": {}}
        stale.say(worker, "spawn", spawn, epoch)
        stale.say(worker, "heartbeat", None, epoch)
        stale.say(worker, "fleet_kept", {"fleet_run": run_id, "fleet_number": 1 << 40}, epoch)
        for kind in ("reconnect", "stop", "quit", "give_up"):
            stale.say(worker, kind, None, epoch)

    wait_until(lambda: "refuses" in fleet.log("w1"), "the refusal", 5)
    assert told == known
    wait_until(lambda: not fleet.ready("w1")["ready"], "the worker missing its leader", 5)
    assert users_of(fleet, "w1") == 10
    cable.plug_into(ADDRESS)
    stale.close()
    wait_until(lambda: bool(fleet.ready("w1")["ready"]), "the worker at its leader again", 10)
    fleet.wait_for_users(10)
    assert fleet.exit_code("w1") is None
    fleet.stop()
    assert fleet.served() == fleet.state()["totals"]["requests"]


def test_a_worker_waits_for_a_leader_to_listen(fleet: Fleet) -> None:
    fleet.start_target()
    fleet.start_worker("w1")
    wait_until(lambda: "this worker waits for one" in fleet.log("w1"), "the worker waiting", 20)

    fleet.start_master()

    fleet.wait_for_workers(1)


def start_far(fleet: Fleet, **env: str) -> Cable:
    """Start everything with one worker, which has only an address to connect to."""
    fleet.start_target()
    fleet.start_master()
    cable = fleet.cable()
    fleet.start_worker("w1", **cable.env, **NO_REDIS, **env)
    fleet.wait_for_workers(1)
    return cable


def ask_to_stop(fleet: Fleet) -> None:
    """Press Stop, and do not wait until everybody has."""
    threading.Thread(target=ignoring_errors, args=(fleet.stop,), daemon=True).start()
