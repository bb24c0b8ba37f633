"""A process that cannot do its work ends, and what ends one master does not end every other."""

from typing import Any

import psycopg
import pytest
import redis

from locust_fleet.election.lease import CHECKPOINT_KEY
from locust_fleet.master.failover.checkpoint_store import freeze, pack, unpack
from locust_fleet.runtime.supervision import BROKEN
from locust_fleet.settings.stores import RedisSettings
from tests.support.fleet import Fleet, NewFleet
from tests.support.redis import redis_client, redis_environment
from tests.support.runs import SHOPPERS, recorded, stopped_users, wait_for_end
from tests.support.waiting import wait_until

SECOND = "127.0.0.83"
# Once there is a file "break", what BREAK names is broken in the process that has it.
BREAKABLE = (
    SHOPPERS
    + """
import os
from pathlib import Path

import gevent
from locust import events

class Bad(BaseException):
    pass

def fail(*_, **__):
    raise Bad("a bad thing")

def kill(runner, name):
    for each in list(runner.greenlet):
        if getattr(each, "_run", None) == getattr(runner, name):
            each.kill(block=False)

def break_later(runner, what):
    while not Path("break").exists():
        gevent.sleep(0.05)
    if what == "messages of a master":
        runner.server.recv_from_client = fail
    elif what == "messages of a worker":
        runner.client.recv = fail
    elif what == "a greenlet of a master":
        kill(runner, "client_listener")
    elif what == "a greenlet of a worker":
        kill(runner, "worker")
    elif what == "lease":
        from locust_fleet.election.leadership import Leadership
        Leadership._renew = fail
    elif what == "samples":
        from locust_fleet.master.results import sampler
        sampler.close_sample = fail
    elif what == "reports":
        runner._send_stats = fail

@events.init.add_listener
def begin(environment, **_):
    if "BREAK" in os.environ:
        gevent.spawn(break_later, environment.runner, os.environ["BREAK"])
"""
)


@pytest.fixture
def fleet(new_fleet: NewFleet, redis_settings: RedisSettings) -> Fleet:
    return new_fleet(BREAKABLE, redis_environment(redis_settings))


@pytest.fixture
def store(redis_settings: RedisSettings) -> redis.Redis:
    return redis_client(redis_settings)


def break_it(fleet: Fleet) -> None:
    (fleet.folder / "break").touch()


def wait_for_exit(fleet: Fleet, name: str) -> int:
    wait_until(lambda: fleet.exit_code(name) is not None, f"{name} ending", 30)
    code = fleet.exit_code(name)
    assert code is not None
    return code


@pytest.mark.parametrize(
    "what", ["messages of a master", "a greenlet of a master", "lease", "samples"]
)
def test_a_master_without_a_vital_loop_ends_and_says_why(fleet: Fleet, what: str) -> None:
    fleet.start_target()
    fleet.start_master(BREAK=what)
    fleet.start_worker("w1")
    fleet.wait_for_workers(1)
    fleet.swarm(1)

    break_it(fleet)

    assert wait_for_exit(fleet, "master") == BROKEN
    assert "this process cannot work without it" in fleet.log("master")
    if "greenlet" not in what:
        assert "Bad: a bad thing" in fleet.log("master")


@pytest.mark.parametrize("what", ["messages of a worker", "a greenlet of a worker", "reports"])
def test_a_worker_without_a_vital_loop_ends_and_others_have_its_users(
    fleet: Fleet, what: str
) -> None:
    fleet.start("w1")
    fleet.start_worker("w2", BREAK=what)
    fleet.wait_for_workers(2)
    fleet.swarm(10)
    fleet.wait_for_users(10)

    break_it(fleet)

    assert wait_for_exit(fleet, "w2") == BROKEN
    wait_until(
        lambda: fleet.metrics("w1")["locust_worker_users"] == 10, "the other one having all", 30
    )


def test_another_master_goes_on_with_the_run_of_one_that_hears_nobody(
    fleet: Fleet, connection: psycopg.Connection
) -> None:
    fleet.start_target()
    fleet.start_master(BREAK="messages of a master")
    fleet.start_standby("second", SECOND)
    for worker in ("w1", "w2"):
        fleet.start_worker(worker)
    fleet.wait_for_workers(2)
    fleet.swarm(20)
    fleet.wait_for_users(20)

    break_it(fleet)

    assert wait_for_exit(fleet, "master") == BROKEN
    wait_until(lambda: fleet.leader() == "second", "the other one leading", 30)
    wait_until(fleet.has_resumed, "the run going on", 30)
    fleet.wait_for_users(20)
    assert stopped_users(fleet, "w1", "w2") == 0
    fleet.stop()
    wait_for_end(connection, "stopped")
    assert fleet.served() == recorded(connection)


def no_list_of_workers(state: dict[str, Any]) -> None:
    state["load"]["workers"] = 5


def no_counts(state: dict[str, Any]) -> None:
    del state["receipts"]


def no_number_of_users(state: dict[str, Any]) -> None:
    """The last thing that a takeover does fails: it asks for more users."""
    state["load"]["users"] = "many"


@pytest.mark.parametrize("spoil", [no_list_of_workers, no_counts, no_number_of_users])
def test_a_checkpoint_that_ended_two_masters_is_set_aside_and_the_next_one_leads(
    fleet: Fleet, store: redis.Redis, connection: psycopg.Connection, spoil: Any
) -> None:
    fleet.start("w1")
    fleet.swarm(5)
    fleet.wait_for_users(5)
    fleet.end("master", 9)  # type: ignore[arg-type]
    state: Any = unpack(store.hget(CHECKPOINT_KEY, "data"))  # type: ignore[arg-type]
    spoil(state)
    store.hset(CHECKPOINT_KEY, "data", pack(freeze(state), 1 << 20))

    for name in ("first", "second"):
        fleet._start_master(name, SECOND)
        assert wait_for_exit(fleet, name) != 0
        fleet._masters.pop(name)
    fleet.start_master("third")

    assert fleet.state()["run"] is None
    [letter] = (fleet.folder / "spool" / "dead").glob("checkpoint-*.bin")
    assert unpack(letter.read_bytes()) is not None
    assert any("1 checkpoint" in problem for problem in fleet.state()["problems"])
    # Nobody goes on with a run that no master has.
    wait_until(lambda: fleet.metrics("w1")["locust_worker_users"] == 0, "the users stopping", 30)
    wait_for_end(connection, "lost")
    fleet.wait_for_workers(1)
    fleet.swarm(3)
    fleet.wait_for_users(3)


def test_a_checkpoint_that_ended_one_master_is_tried_again(
    fleet: Fleet, store: redis.Redis
) -> None:
    fleet.start("w1")
    fleet.swarm(5)
    fleet.wait_for_users(5)
    fleet.end("master", 9)  # type: ignore[arg-type]
    good = store.hget(CHECKPOINT_KEY, "data")
    state: Any = unpack(good)  # type: ignore[arg-type]
    no_counts(state)
    store.hset(CHECKPOINT_KEY, "data", pack(freeze(state), 1 << 20))
    fleet._start_master("first", SECOND)
    assert wait_for_exit(fleet, "first") != 0
    fleet._masters.pop("first")
    store.hset(CHECKPOINT_KEY, "data", good)

    fleet.start_master("second")

    fleet.wait_for_users(5)
    wait_until(lambda: store.hget(CHECKPOINT_KEY, "ended") is None, "the blame being taken back")
    assert stopped_users(fleet, "w1") == 0
