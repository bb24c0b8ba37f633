"""Only the latest master's checkpoint counts, whatever happens to Redis."""

import pytest
import redis

from locust_fleet.errors import LeadershipLost, StoreUnavailable
from locust_fleet.master.checkpoint import Checkpoints
from locust_fleet.settings import RedisSettings
from tests.integration.conftest import ADDRESS, free_port


def flush(settings: RedisSettings) -> None:
    redis.Redis(host=settings.host, port=settings.port, password=settings.password).flushall()


def test_the_next_master_finds_the_last_checkpoint(redis_settings: RedisSettings) -> None:
    first, second = Checkpoints(redis_settings), Checkpoints(redis_settings)
    assert first.take() is None
    first.save({"load": {"users": 1}})
    first.save({"load": {"users": 2}})

    assert second.take() == {"load": {"users": 2}}
    assert second.epoch > first.epoch


def test_an_earlier_master_overwrites_nothing(redis_settings: RedisSettings) -> None:
    first, second = Checkpoints(redis_settings), Checkpoints(redis_settings)
    first.take()
    second.take()
    second.save({"by": "second"})

    with pytest.raises(LeadershipLost):
        first.save({"by": "first"})

    assert Checkpoints(redis_settings).take() == {"by": "second"}


def test_epochs_go_up_where_redis_has_lost_everything(redis_settings: RedisSettings) -> None:
    first, second = Checkpoints(redis_settings), Checkpoints(redis_settings)
    first.take()
    flush(redis_settings)

    second.take()

    assert second.epoch > first.epoch


def test_the_master_writes_its_state_again_where_redis_has_lost_it(
    redis_settings: RedisSettings,
) -> None:
    master = Checkpoints(redis_settings)
    master.take()
    flush(redis_settings)

    master.save({"by": "master"})

    after = Checkpoints(redis_settings)
    assert after.take() == {"by": "master"}
    assert after.epoch > master.epoch


def test_redis_away_is_an_error_of_its_own() -> None:
    away = Checkpoints(RedisSettings(ADDRESS, free_port(ADDRESS), "test"))

    with pytest.raises(StoreUnavailable, match="Redis does not answer"):
        away.take()
