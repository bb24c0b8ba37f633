"""A run goes on under another master when its leader is killed, hangs or is told to end."""

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from locust_fleet.settings import PostgresSettings, RedisSettings
from tests.integration.conftest import wait_until
from tests.integration.fleet import Fleet
from tests.integration.test_resume import (
    SHOPPERS,
    recorded,
    redis_env,
    runs,
    stopped_users,
    wait_for_end,
)

__all__ = ["redis_env"]

KILLS = int(os.environ.get("LEADER_KILLS", "3"))
TAKES_OVER_WITHIN_S = 8.0
HANDS_OVER_WITHIN_S = 2.0


@pytest.fixture
def fleet(
    tmp_path: Path, postgres_settings: PostgresSettings, redis_env: dict[str, str]
) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path, postgres_settings, SHOPPERS, redis_env)
    yield fleet
    fleet.end_all()


@pytest.fixture
def client(redis_settings: RedisSettings) -> redis.Redis:
    return redis.Redis(
        host=redis_settings.host, port=redis_settings.port, password=redis_settings.password
    )


def goes_on(fleet: Fleet) -> bool:
    """Whether somebody leads, and has taken the workers over."""
    try:
        return fleet.leader() is not None and not fleet.state()["resuming"]
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
    assert min(times) < TAKES_OVER_WITHIN_S


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
    assert min(times) < HANDS_OVER_WITHIN_S


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
