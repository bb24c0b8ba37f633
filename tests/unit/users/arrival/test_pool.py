"""Arrivals find a free user, wait for one, or are dropped; none is lost or counted twice."""

from __future__ import annotations

from locust import User, task
from locust.env import Environment

import time

import gevent
import pytest

from locust_fleet.users.arrival.pool import UserPool


class Anybody(User):
    @task
    def nothing(self) -> None:
        pass


@pytest.fixture
def user() -> User:
    return Anybody(Environment(user_classes=[Anybody]))


def free(pool: UserPool, *users: User) -> list[gevent.Greenlet[..., float]]:
    """Let users wait, one after the other."""
    waiting = [gevent.spawn(pool.take, user) for user in users]
    gevent.sleep(0)
    return waiting


def test_who_became_free_last_is_taken_first() -> None:
    environment = Environment(user_classes=[Anybody])
    pool = UserPool()
    first, second = free(pool, Anybody(environment), Anybody(environment))

    pool.arrive(1.0, 1.0)

    assert second.get(timeout=5) == 1.0
    assert not first.ready()
    first.kill()


def test_without_a_free_user_an_arrival_is_dropped() -> None:
    pool = UserPool()
    pool.arrive(1.0, 1.0)
    assert pool.take_counts() == (1, 1)
    assert pool.take_counts() == (0, 0)


def test_an_arrival_may_wait_for_a_user(user: User) -> None:
    pool, now = UserPool(wait_for_user_s=5), time.monotonic()
    pool.arrive(now - 3, now)
    pool.arrive(now - 2, now)

    assert pool.take(user) == now - 3
    assert pool.take_counts() == (2, 0)


def test_an_arrival_does_not_wait_for_longer_than_it_may(user: User) -> None:
    pool, now = UserPool(wait_for_user_s=1), time.monotonic()
    pool.arrive(now - 3, now - 3)
    pool.arrive(now, now)

    assert pool.take(user) == now
    assert pool.take_counts() == (2, 1)


def test_what_waits_at_the_end_is_dropped() -> None:
    pool = UserPool(wait_for_user_s=60)
    pool.arrive(1.0, 1.0)
    pool.give_up()
    assert pool.take_counts() == (1, 1)


def test_a_user_that_is_stopped_gets_no_arrival(user: User) -> None:
    pool = UserPool()
    [waiting] = free(pool, user)
    waiting.kill()

    pool.arrive(1.0, 1.0)

    assert pool.take_counts() == (1, 1)


def test_an_arrival_of_a_user_that_is_stopped_in_that_moment_is_dropped(user: User) -> None:
    pool = UserPool()
    [waiting] = free(pool, user)
    waiting.kill(block=False)
    pool.arrive(1.0, 1.0)
    waiting.join()
    assert pool.take_counts() == (1, 1)
