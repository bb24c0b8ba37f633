"""The lease as Redis itself carries it out: one master has it, and epochs never go down."""

from collections.abc import Callable

import pytest
import redis

from locust_fleet.election.lease import LEASE, MEMORY, LeaderLease
from locust_fleet.settings.stores import RedisSettings
from tests.integration.conftest import wait_until

Master = Callable[..., LeaderLease]
TIMEOUT_S = 60.0


@pytest.fixture
def client(redis_settings: RedisSettings) -> redis.Redis:
    return redis.Redis(
        host=redis_settings.host, port=redis_settings.port, password=redis_settings.password
    )


@pytest.fixture
def master(redis_settings: RedisSettings) -> Master:
    def make(name: str, priority: int = 0, timeout_s: float = TIMEOUT_S) -> LeaderLease:
        return LeaderLease(redis_settings, name, lambda: f"{name}:5557", priority, timeout_s)

    return make


def taken(lease: LeaderLease, least: int = 1) -> int:
    epoch = lease.take(least)
    assert epoch is not None
    return epoch


def test_only_one_master_has_it(master: Master) -> None:
    assert taken(master("a"), 7) == 7

    assert master("b").take(8) is None
    seen = master("b").look()
    assert (seen.holder, seen.address, seen.epoch) == ("a", "a:5557", 7)
    assert TIMEOUT_S - 5 < seen.left_s <= TIMEOUT_S


def test_a_master_that_starts_again_takes_its_own_under_a_higher_epoch(master: Master) -> None:
    assert taken(master("a"), 7) == 7
    assert taken(master("a"), 3) == 8


def test_it_runs_out_unless_it_is_renewed(master: Master) -> None:
    first, second = master("a", timeout_s=0.2), master("b")
    epoch = taken(first)
    assert first.renew(epoch) == epoch
    assert second.take(1) is None

    wait_until(lambda: second.look().holder is None, "the lease running out", 2)

    assert taken(second) == epoch + 1


def test_a_leader_whose_lease_ran_out_has_it_again_if_nobody_took_it(
    master: Master, client: redis.Redis
) -> None:
    leader = master("a")
    epoch = taken(leader)
    client.delete(LEASE)

    assert leader.renew(epoch) == epoch

    assert master("b").look().holder == "a"


def test_a_later_leader_keeps_it(master: Master, client: redis.Redis) -> None:
    former, later = master("a"), master("b")
    before = taken(former)
    client.delete(LEASE)
    epoch = taken(later)

    assert former.renew(before) == epoch
    assert not former.rise(before, epoch + 1)
    former.give_away(before)

    assert master("c").look().holder == "b"


def test_an_emptied_redis_is_told_again_under_a_higher_epoch(
    master: Master, client: redis.Redis
) -> None:
    leader = master("a")
    epoch = taken(leader, 7)
    client.flushall()

    assert leader.renew(epoch) == 0
    assert leader.rise(epoch, 9)

    seen = master("b").look()
    assert (seen.holder, seen.epoch) == ("a", 9)
    assert leader.renew(9) == 9


def test_epochs_do_not_go_down_with_a_clock(master: Master, client: redis.Redis) -> None:
    # Higher than Lua shows in full, if it is not asked to.
    assert taken(master("a"), 1_763_726_400_123) == 1_763_726_400_123
    client.delete(LEASE)
    assert taken(master("b"), 5) == 1_763_726_400_124
    assert client.hget(MEMORY, "epoch") == b"1763726400124"


def test_who_is_given_away_to_takes_it_at_once(master: Master) -> None:
    leader, standby = master("a"), master("b")
    epoch = taken(leader)
    standby.look()
    assert leader.standbys() == 1

    leader.give_away(epoch)

    assert taken(standby) > epoch
    assert leader.standbys() == 0


def test_the_preferred_of_those_who_stand_by_takes_it(master: Master) -> None:
    low, high = master("a", priority=1), master("b", priority=2)
    low.look()
    high.look()

    assert low.take(1) is None

    assert taken(high) == 1


def test_nobody_waits_for_a_preferred_one_that_is_gone(master: Master) -> None:
    low, high = master("a", priority=1), master("b", priority=2, timeout_s=0.2)
    high.look()

    wait_until(lambda: low.take(1) is not None, "the less preferred one leading", 2)


def test_a_leader_is_not_driven_out_by_a_preferred_one(master: Master) -> None:
    low, high = master("a", priority=1), master("b", priority=2)
    epoch = taken(low)
    high.look()

    assert high.take(1) is None
    assert low.renew(epoch) == epoch
    assert taken(low) == epoch + 1
