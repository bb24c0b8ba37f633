"""A run goes on under another master when its leader is killed, hangs or is told to end."""

import os
import random
import signal
import threading
import time
from typing import Any

import psycopg
import redis

from locust_fleet.election.leadership import STEPPED_DOWN
from locust_fleet.election.lease import CHECKPOINT_KEY
from tests.support.fleet import ADDRESS, Fleet
from tests.support.runs import ignoring_errors, recorded, runs, stopped_users, wait_for_end
from tests.support.waiting import BUSY_S, wait_until

KILLS = int(os.environ.get("LEADER_KILLS", "3"))
# Another address than that of the other masters: what hangs keeps its ports.
ELSEWHERE = "127.0.0.81"
TAKES_OVER_WITHIN_S = 8.0
HANDS_OVER_WITHIN_S = 2.0


def epoch_in(client: redis.Redis) -> int:
    epoch: Any = client.hget(CHECKPOINT_KEY, "epoch")
    return int(epoch)


def goes_on(fleet: Fleet) -> bool:
    """Whether somebody leads, and has taken the workers over."""
    try:
        return fleet.leader() is not None and fleet.has_resumed()
    except OSError:
        return False


def end_leader(fleet: Fleet, with_signal: signal.Signals) -> float:
    """End the leader; returns the seconds until another one goes on with the run."""
    former = fleet.leader()
    assert former
    began = time.monotonic()
    fleet.end(former, with_signal)
    wait_until(lambda: goes_on(fleet), "another master going on", 20)
    assert fleet.leader() != former
    return time.monotonic() - began


def test_a_standby_listens_nowhere_but_for_those_who_watch(fleet: Fleet) -> None:
    fleet.start_master("m1")
    fleet.start_standby("m2")

    ready = fleet.ready("m2")
    assert (ready["ready"], ready["role"]) == (True, "standby")
    assert ready["leader"] == fleet.lease_address
    assert fleet.metrics("m2")['locust_master_info{role="standby",version="unknown"}'] == 1
    assert not [name for name in fleet.metrics("m2") if name.startswith("locust_current_users")]
    # On the same address, so it could not have listened without an error.
    assert "busy" not in fleet.log("m2")


def test_requests_made_are_counted_once_whenever_the_leader_is_killed(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    fleet.start("w1", "w2", "w3")
    fleet.start_standby("m2")
    run_id = fleet.swarm(30)["run_id"]
    fleet.wait_for_users(30)
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    print(f"seed {seed}")

    times = []
    for kill in range(KILLS):
        time.sleep(chance.uniform(0, 6))
        times.append(end_leader(fleet, signal.SIGKILL))
        assert fleet.state()["users"] == 30
        assert stopped_users(fleet, "w1", "w2", "w3") == 0
        fleet.start_standby(f"m{kill + 3}")
    print("taken over after", [round(seconds, 1) for seconds in times])
    fleet.stop()

    wait_for_end(connection, "stopped")
    assert runs(connection) == [(run_id, "stopped")]
    assert fleet.served() == fleet.state()["totals"]["requests"] == recorded(connection)
    assert min(times) < TAKES_OVER_WITHIN_S + BUSY_S


def test_a_leader_that_is_told_to_end_hands_its_run_over(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    fleet.start("w1", "w2")
    fleet.swarm(20)
    fleet.wait_for_users(20)

    times = []
    for name in ("m2", "m3", "m4"):
        fleet.start_standby(name)
        times.append(end_leader(fleet, signal.SIGTERM))
        assert fleet.state()["users"] == 20
    print("handed over after", [round(seconds, 1) for seconds in times])
    fleet.stop()

    wait_for_end(connection, "stopped")
    assert stopped_users(fleet, "w1", "w2") == 20
    assert fleet.served() == recorded(connection)
    assert min(times) < HANDS_OVER_WITHIN_S + BUSY_S


def test_workers_are_kept_when_a_leader_without_a_run_is_told_to_end(fleet: Fleet) -> None:
    fleet.start("w1")
    fleet.start_standby("m2")

    end_leader(fleet, signal.SIGTERM)

    fleet.wait_for_workers(1)
    assert fleet.exit_code("w1") is None
    assert fleet.swarm(1)["success"]


def test_a_single_master_that_is_told_to_end_leaves_the_run_to_itself(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    fleet.start("w1")
    fleet.swarm(10)
    fleet.wait_for_users(10)

    assert fleet.end("master") == 0
    fleet.start_master()

    wait_until(lambda: goes_on(fleet), "the run going on")
    assert fleet.state()["users"] == 10
    fleet.stop()
    wait_for_end(connection, "stopped")
    assert fleet.served() == recorded(connection)


def test_a_master_that_ends_after_all_its_workers_ends_the_run(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    fleet.start("w1")
    fleet.swarm(10)
    fleet.wait_for_requests(50)

    fleet.end("w1")
    fleet.end("master")

    wait_for_end(connection, "stopped")
    assert fleet.served() == recorded(connection)


def test_a_run_ends_with_its_stack_though_another_master_stood_by(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    fleet.start("w1")
    fleet.start_standby("m2")
    fleet.swarm(10)
    fleet.wait_for_requests(50)

    fleet.end("w1")
    # All masters are told to end together, and who stands by has nothing to do first.
    fleet.signal("master", "m2")
    wait_until(lambda: fleet.exit_code("master") is not None, "the end of the leader", 20)

    wait_for_end(connection, "stopped")
    assert fleet.served() == recorded(connection)


def test_the_preferred_standby_leads_next_and_drives_nobody_out(fleet: Fleet) -> None:
    fleet.start_master("m1")
    fleet.start_standby("m2", MASTER_PRIORITY="1")
    fleet.start_standby("m3", MASTER_PRIORITY="9")
    fleet.start_standby("m4")

    end_leader(fleet, signal.SIGKILL)
    assert fleet.leader() == "m3"
    fleet.start_standby("m5", MASTER_PRIORITY="10")
    end_leader(fleet, signal.SIGTERM)

    assert fleet.leader() == "m5"


def test_a_leader_that_hung_does_nothing_more_when_it_wakes_up(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    fleet.start("w1", "w2")
    fleet.start_standby("m2", ELSEWHERE)
    run_id = fleet.swarm(20)["run_id"]
    fleet.wait_for_users(20)

    began = time.monotonic()
    fleet.freeze("master")
    # It takes the connection, and carries out the order as soon as it wakes up.
    order = threading.Thread(target=ignoring_errors, args=(lambda: fleet.stop_at(ADDRESS),))
    order.start()
    wait_until(lambda: goes_on(fleet), "another master going on", 20)
    print("taken over after", round(time.monotonic() - began, 1))
    counted = fleet.state()["totals"]["requests"]
    fleet.wake("master")

    wait_until(lambda: fleet.exit_code("master") == STEPPED_DOWN, "the former leader ending", 5)
    order.join()
    fleet.wait_for_requests(counted + 200)
    assert fleet.state()["users"] == 20
    assert stopped_users(fleet, "w1", "w2") == 0
    fleet.stop()
    wait_for_end(connection, "stopped")
    assert runs(connection) == [(run_id, "stopped")]
    assert fleet.served() == fleet.state()["totals"]["requests"] == recorded(connection)


def test_a_leader_elsewhere_is_found(fleet: Fleet, connection: psycopg.Connection) -> None:
    fleet.start("w1", "w2")
    fleet.swarm(20)
    fleet.wait_for_users(20)
    times = []
    for name, host, how in (
        ("m2", ELSEWHERE, signal.SIGKILL),
        ("m3", ADDRESS, signal.SIGTERM),
        ("m4", ELSEWHERE, signal.SIGTERM),
    ):
        fleet.start_standby(name, host)
        times.append(end_leader(fleet, how))
        assert fleet.state()["users"] == 20
    print("killed, told to end, told to end", [round(seconds, 1) for seconds in times])
    fleet.stop()

    wait_for_end(connection, "stopped")
    assert stopped_users(fleet, "w1", "w2") == 20
    assert fleet.served() == recorded(connection)
    assert times[0] < TAKES_OVER_WITHIN_S + BUSY_S
    assert min(times[1:]) < HANDS_OVER_WITHIN_S + BUSY_S


def test_nobody_is_elected_while_redis_is_away(
    fleet: Fleet, client: redis.Redis, connection: psycopg.Connection
) -> None:
    fleet.start("w1")
    fleet.start_standby("m2")
    fleet.swarm(5)
    fleet.wait_for_users(5)
    before = epoch_in(client)

    # Longer than the lease is valid.
    client.client_pause(8_000)
    wait_until(lambda: not fleet.ready("m2")["ready"], "the standby missing Redis", 8)
    wait_until(lambda: bool(fleet.ready("m2")["ready"]), "Redis being back", 15)

    wait_until(lambda: fleet.ready("m2")["leader"] == fleet.lease_address, "the lease", 3)
    assert (fleet.role("master"), fleet.role("m2")) == ("leader", "standby")
    assert epoch_in(client) == before
    fleet.stop()
    wait_for_end(connection, "stopped")
    assert fleet.served() == recorded(connection)


def test_a_leader_writes_its_state_again_where_redis_was_emptied(
    fleet: Fleet, client: redis.Redis
) -> None:
    fleet.start("w1")
    fleet.start_standby("m2")
    run_id = fleet.swarm(5)["run_id"]
    fleet.wait_for_users(5)
    before = epoch_in(client)

    client.flushall()
    wait_until(lambda: bool(client.hexists(CHECKPOINT_KEY, "data")), "the state written again", 5)

    assert epoch_in(client) > before
    assert (fleet.role("master"), fleet.role("m2")) == ("leader", "standby")
    end_leader(fleet, signal.SIGKILL)
    assert fleet.state()["run"]["id"] == run_id
    assert stopped_users(fleet, "w1") == 0


def test_a_run_goes_on_when_redis_and_the_leader_were_gone_together(
    fleet: Fleet, client: redis.Redis, connection: psycopg.Connection
) -> None:
    fleet.start("w1", "w2")
    fleet.start_standby("m2")
    fleet.swarm(20)
    fleet.wait_for_users(20)
    client.client_pause(8_000)

    end_leader(fleet, signal.SIGKILL)

    assert fleet.state()["users"] == 20
    assert stopped_users(fleet, "w1", "w2") == 0
    fleet.stop()
    wait_for_end(connection, "stopped")
    assert fleet.served() == recorded(connection)
