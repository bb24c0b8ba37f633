"""Only the latest master's checkpoint counts, whatever happens to Redis."""

import pytest

from locust_fleet.election.leadership import Leadership
from locust_fleet.election.lease import LeaderLease
from locust_fleet.errors import LeadershipLost, StoreUnavailable
from locust_fleet.master.failover.checkpoint_store import CheckpointStore
from locust_fleet.settings.stores import RedisSettings
from tests.support.engine import ADDRESS
from tests.support.ports import free_port
from tests.support.redis import redis_client


def flush(settings: RedisSettings) -> None:
    redis_client(settings).flushall()


def leader(settings: RedisSettings) -> CheckpointStore:
    """Return the checkpoints of a master that has just taken the lease."""
    lease = LeaderLease(settings, "m", lambda: "m:5557", priority=0, timeout_s=5)
    epoch = lease.acquire(1)
    assert epoch is not None
    return CheckpointStore(settings, Leadership(lease, epoch, 1))


def test_the_next_master_finds_the_last_checkpoint(redis_settings: RedisSettings) -> None:
    first = leader(redis_settings)
    assert first.load() is None
    first.save({"load": {"users": 1}})
    first.save({"load": {"users": 2}})

    assert leader(redis_settings).load() == {"load": {"users": 2}}


def test_an_earlier_master_overwrites_nothing(redis_settings: RedisSettings) -> None:
    first, second = leader(redis_settings), leader(redis_settings)
    second.save({"by": "second"})

    with pytest.raises(LeadershipLost):
        first.save({"by": "first"})

    assert second.load() == {"by": "second"}


def test_nothing_is_written_under_an_epoch_that_redis_has_forgotten(
    redis_settings: RedisSettings,
) -> None:
    master = leader(redis_settings)
    flush(redis_settings)

    with pytest.raises(StoreUnavailable, match="has lost epoch"):
        master.save({"by": "master"})

    assert master.load() is None


def test_a_master_that_tells_redis_its_epoch_anew_does_not_take_itself_for_another(
    redis_settings: RedisSettings,
) -> None:
    saved: list[type[Exception]] = []

    class Slow(LeaderLease):
        """Its answer is still on its way when the checkpoint is written."""

        def raise_epoch(self, epoch: int, higher: int) -> bool:
            risen = super().raise_epoch(epoch, higher)
            with pytest.raises(StoreUnavailable) as refused:
                checkpoints.save({"by": "m"})
            saved.append(refused.type)
            return risen

    lease = Slow(redis_settings, "m", lambda: "m:5557", priority=0, timeout_s=5)
    epoch = lease.acquire(1)
    assert epoch is not None
    reign = Leadership(lease, epoch, 1)
    checkpoints = CheckpointStore(redis_settings, reign)
    flush(redis_settings)

    reign._renew(lease)

    assert saved == [StoreUnavailable]
    checkpoints.save({"by": "m"})
    assert checkpoints.load() == {"by": "m"}


def test_redis_away_is_an_error_of_its_own() -> None:
    away = CheckpointStore(
        RedisSettings(ADDRESS, free_port(ADDRESS), "test"), Leadership(None, 1, 1)
    )

    with pytest.raises(StoreUnavailable, match="Redis does not answer"):
        away.load()
