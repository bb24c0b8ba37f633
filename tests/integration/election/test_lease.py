"""The lease as Redis itself carries it out: one master has it, and epochs never go down."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import redis

from locust_fleet.election.lease import CHECKPOINT_KEY, LEASE_KEY, LeaderLease
from locust_fleet.settings.stores import RedisSettings
from tests.support.redis import redis_client
from tests.support.waiting import wait_until

Master = Callable[..., LeaderLease]
TIMEOUT_S = 60.0


@pytest.fixture
def client(redis_settings: RedisSettings) -> redis.Redis:
    return redis_client(redis_settings)


@pytest.fixture
def master(redis_settings: RedisSettings) -> Master:
    def make(name: str, priority: int = 0, timeout_s: float = TIMEOUT_S) -> LeaderLease:
        return LeaderLease(redis_settings, name, lambda: f"{name}:5557", priority, timeout_s)

    return make


def taken(lease: LeaderLease, least: int = 1) -> int:
    epoch = lease.acquire(least)
    assert epoch is not None
    return epoch


def test_only_one_master_has_it(master: Master) -> None:
    assert taken(master("a"), 7) == 7

    assert master("b").acquire(8) is None
    seen = master("b").poll()
    assert (seen.holder, seen.address, seen.epoch) == ("a", "a:5557", 7)
    assert TIMEOUT_S - 5 < seen.left_s <= TIMEOUT_S


def test_a_master_that_starts_again_takes_its_own_under_a_higher_epoch(master: Master) -> None:
    assert taken(master("a"), 7) == 7
    assert taken(master("a"), 3) == 8


def test_it_runs_out_unless_it_is_renewed(master: Master) -> None:
    first, second = master("a", timeout_s=0.2), master("b")
    epoch = taken(first)
    assert first.renew(epoch) == epoch
    assert second.acquire(1) is None

    wait_until(lambda: second.poll().holder is None, "the lease running out", 2)

    assert taken(second) == epoch + 1


def test_a_leader_whose_lease_ran_out_has_it_again_if_nobody_took_it(
    master: Master, client: redis.Redis
) -> None:
    leader = master("a")
    epoch = taken(leader)
    client.delete(LEASE_KEY)

    assert leader.renew(epoch) == epoch

    assert master("b").poll().holder == "a"


def test_a_later_leader_keeps_it(master: Master, client: redis.Redis) -> None:
    former, later = master("a"), master("b")
    before = taken(former)
    client.delete(LEASE_KEY)
    epoch = taken(later)

    assert former.renew(before) == epoch
    assert not former.raise_epoch(before, epoch + 1)
    former.release(before)

    assert master("c").poll().holder == "b"


def test_the_leader_of_an_emptied_redis_raises_its_epoch(
    master: Master, client: redis.Redis
) -> None:
    leader = master("a")
    epoch = taken(leader, 7)
    client.flushall()

    assert leader.renew(epoch) == 0
    assert leader.raise_epoch(epoch, 9)

    seen = master("b").poll()
    assert (seen.holder, seen.epoch) == ("a", 9)
    assert leader.renew(9) == 9


def test_epochs_do_not_go_down_with_a_clock(master: Master, client: redis.Redis) -> None:
    # Higher than Lua shows in full, if it is not asked to.
    assert taken(master("a"), 1_763_726_400_123) == 1_763_726_400_123
    client.delete(LEASE_KEY)
    assert taken(master("b"), 5) == 1_763_726_400_124
    assert client.hget(CHECKPOINT_KEY, "epoch") == b"1763726400124"


def test_the_lease_is_the_same_json_whether_it_was_just_taken_or_renewed(
    redis_settings: RedisSettings, client: redis.Redis
) -> None:
    name, address = 'a/"\\ü', "[::1]:5557"
    leader = LeaderLease(redis_settings, name, lambda: address, 0, TIMEOUT_S)
    epoch = taken(leader, 1_763_726_400_123)
    just_taken: Any = client.get(LEASE_KEY)
    leader.renew(epoch)
    renewed: Any = client.get(LEASE_KEY)

    expected = {"epoch": epoch, "holder": name, "address": address}
    assert json.loads(just_taken) == json.loads(renewed) == expected
    assert taken(leader, 5) == epoch + 1


def test_a_standby_takes_a_released_lease_at_once(master: Master) -> None:
    leader, standby = master("a"), master("b")
    epoch = taken(leader)
    standby.poll()
    assert leader.count_standbys() == 1

    leader.release(epoch)

    assert taken(standby) > epoch
    assert leader.count_standbys() == 0


def test_the_preferred_of_those_who_stand_by_takes_it(master: Master) -> None:
    low, high = master("a", priority=1), master("b", priority=2)
    low.poll()
    high.poll()

    assert low.acquire(1) is None

    assert taken(high) == 1


def test_nobody_waits_for_a_preferred_one_that_is_gone(master: Master) -> None:
    low, high = master("a", priority=1), master("b", priority=2, timeout_s=0.2)
    high.poll()

    wait_until(lambda: low.acquire(1) is not None, "the less preferred one leading", 2)


def test_a_leader_is_not_driven_out_by_a_preferred_one(master: Master) -> None:
    low, high = master("a", priority=1), master("b", priority=2)
    epoch = taken(low)
    high.poll()

    assert high.acquire(1) is None
    assert low.renew(epoch) == epoch
    assert taken(low) == epoch + 1
