"""A run survives its masters: nobody stops a user, nothing is lost, nothing counted twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
import requests

from tests.chaos.containers import crash, killed, paused, stopped, unplugged
from tests.chaos.stack import GHOST_LIMIT_S, MASTERS, USERS, WORKERS, ChaosStack
from tests.support.containers import listens, look_at
from tests.support.stack import said
from tests.support.waiting import BUSY_S, wait_until

Fault = Callable[[str], AbstractContextManager[None]]


@contextmanager
def unnoticed(stack: ChaosStack, operator: requests.Session) -> Iterator[None]:
    """Run a test in which something happens that no user and no count may notice."""
    run_id = stack.load(operator)
    ended = stack.ended_users()
    yield
    assert stack.ended_users() == ended
    assert stack.run(operator)["run"]["id"] == run_id
    served, recorded = stack.end(operator, run_id)
    assert recorded == served


def test_masters_that_stand_by_are_healthy_and_listen_to_nobody(stack: ChaosStack) -> None:
    leader = stack.leader()
    standbys = [master for master in stack.containers("locust-master") if master != leader]

    assert len(standbys) == MASTERS - 1
    for standby in standbys:
        assert look_at(standby)[0]["State"]["Health"]["Status"] == "healthy"
        assert stack.role_of(standby) == "standby"
        assert [port for port in (5557, 8089) if listens(standby, port)] == []


def test_a_standby_takes_over_within_8_s_of_the_death_of_the_leader(
    stack: ChaosStack, operator: requests.Session
) -> None:
    with unnoticed(stack, operator):
        leader = stack.leader()
        began = time.monotonic()
        with killed(leader):
            stack.wait_for_leader()
            seconds = time.monotonic() - began

    print(f"a standby took over {seconds:.1f} s after the leader was killed")
    assert seconds < 8 + BUSY_S


def test_a_leader_that_is_stopped_hands_over_within_2_s(
    stack: ChaosStack, operator: requests.Session
) -> None:
    with unnoticed(stack, operator):
        leader = stack.leader()
        began = time.monotonic()
        with stopped(leader):
            stack.wait_for_leader()
            seconds = time.monotonic() - began

    print(f"a leader that was stopped handed over within {seconds:.1f} s")
    assert seconds < 2 + BUSY_S


@pytest.mark.parametrize("hang", [paused, unplugged])
def test_a_leader_that_was_away_for_10_s_stands_by_when_it_is_back(
    stack: ChaosStack, operator: requests.Session, hang: Fault
) -> None:
    with unnoticed(stack, operator):
        leader = stack.leader()
        began = time.monotonic()
        with hang(leader):
            stack.wait_for_leader(but=leader)
            seconds = time.monotonic() - began
            # Who looks does not wait for the one that hangs, neither by the API nor in the UI.
            stack.wait_for_users(operator, USERS, timeout_s=5)
            wait_for_page(stack, operator)
            time.sleep(max(0.0, 10 - seconds))
        wait_until(lambda: stack.role_of(leader) == "standby", "it standing by", 20)

    print(f"a standby took over {seconds:.1f} s after the leader was {hang.__name__}")
    assert seconds < 8 + BUSY_S


def wait_for_page(stack: ChaosStack, operator: requests.Session) -> None:
    """Return once every process of the console knows the leader, and Locust's page shows all users.

    Each answer comes within 2 s, also that of a process that has not heard of the leader yet.
    """
    answers: list[requests.Response] = []

    def shows_users() -> bool:
        answers[:] = [
            operator.get(f"{stack.url}/stats/requests", timeout=2) for _ in range(2 * MASTERS)
        ]
        return all(answer.ok and answer.json()["user_count"] == USERS for answer in answers)

    wait_until(
        shows_users, lambda: f"all users on the page ({'; '.join(map(said, answers))})", BUSY_S + 3
    )


def test_a_run_goes_on_within_5_s_of_the_death_of_the_only_master(
    stack: ChaosStack, operator: requests.Session
) -> None:
    stack.size(masters=1)
    wait_until(lambda: len(stack.containers("locust-master")) == 1, "one master", 60)
    stack.wait_for_workers(operator, WORKERS)
    with unnoticed(stack, operator):
        leader = stack.leader()
        began = time.monotonic()
        crash(leader)
        stack.wait_for_leader()
        seconds = time.monotonic() - began

    print(f"a single master went on {seconds:.1f} s after it was killed")
    assert seconds < 5 + BUSY_S


def test_a_run_goes_on_when_redis_and_the_master_die_together(
    stack: ChaosStack, operator: requests.Session
) -> None:
    with unnoticed(stack, operator):
        leader = stack.leader()
        with killed(stack.one("redis")):
            crash(leader)
            served = stack.served()
            wait_until(lambda: stack.served() > served + USERS, "users going on", 10)
        stack.wait_for_leader()


def test_users_stop_when_no_master_comes_back_and_start_again_when_one_does(
    stack: ChaosStack, operator: requests.Session
) -> None:
    run_id = stack.load(operator)
    ended = stack.ended_users()

    with killed(*stack.masters()):
        time.sleep(GHOST_LIMIT_S - 4)
        assert stack.ended_users() == ended
        wait_until(lambda: stack.ended_users() == ended + USERS, "users stopping", 8)
        served = stack.served()
        # Nothing happens, which cannot be waited for.
        time.sleep(2)
        assert stack.served() == served
    stack.wait_for_leader()

    served, recorded = stack.end(operator, run_id)
    assert recorded == served
