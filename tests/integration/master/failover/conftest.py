"""Fleets whose runs outlive their masters, because a Redis keeps what a master knows."""

import pytest
import redis

from locust_fleet.settings.stores import RedisSettings
from tests.support.fleet import Fleet, NewFleet
from tests.support.redis import redis_client, redis_environment
from tests.support.runs import SHOPPERS


@pytest.fixture
def redis_env(redis_settings: RedisSettings) -> dict[str, str]:
    return redis_environment(redis_settings)


@pytest.fixture
def fleet(new_fleet: NewFleet, redis_env: dict[str, str]) -> Fleet:
    return new_fleet(SHOPPERS, redis_env)


@pytest.fixture
def client(redis_settings: RedisSettings) -> redis.Redis:
    return redis_client(redis_settings)
