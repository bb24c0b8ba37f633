"""Users stay at their target while containers of workers vanish from the network and return."""

from __future__ import annotations

import time

import requests

from tests.chaos.containers import unplugged
from tests.chaos.stack import USERS, WORKERS, ChaosStack
from tests.support.waiting import BUSY_S, wait_until

AWAY_S = 20
# HEARTBEAT_LIVENESS of 5 signs of life at 1 s, and 5 s more.
BACK_AT_TARGET_S = 10


def test_users_of_a_worker_without_a_network_run_elsewhere_until_it_is_back(
    stack: ChaosStack, operator: requests.Session
) -> None:
    run_id = stack.load(operator)
    victim, *_ = stack.containers("locust-worker")

    began = time.monotonic()
    with unplugged(victim):
        wait_until(
            lambda: stack.run(operator)["users"] < USERS, "the loss seen", BACK_AT_TARGET_S + BUSY_S
        )
        stack.wait_for_users(operator, USERS, timeout_s=BACK_AT_TARGET_S + BUSY_S)
        seconds = time.monotonic() - began
        time.sleep(max(0.0, AWAY_S - seconds))
    stack.wait_for_workers(operator, WORKERS)
    seen = []
    until = time.monotonic() + 5
    while time.monotonic() < until:
        seen.append(stack.run(operator)["users"])
        time.sleep(0.2)

    print(f"users of a worker without network ran elsewhere after {seconds:.1f} s")
    assert seconds < BACK_AT_TARGET_S + BUSY_S
    assert max(seen) <= USERS
    stack.wait_for_leader()
    served, recorded = stack.end(operator, run_id)
    # What was under way when the network went counts as failed, whether it was served or not.
    assert 0 <= recorded - served <= stack.failed(run_id)


def test_a_stop_reaches_a_worker_that_was_cut_off_before_it_loads_anything_again(
    stack: ChaosStack, operator: requests.Session
) -> None:
    run_id = stack.load(operator)
    victim, *_ = stack.containers("locust-worker")

    with unplugged(victim):
        stack.stop(operator, run_id)
        served = stack.served()
    stack.wait_for_workers(operator, WORKERS)

    # Nothing happens, which cannot be waited for.
    time.sleep(2)
    assert stack.served() == served
