"""A long run with one random fault after another: in the end, all is as if nothing had been."""

from __future__ import annotations

import os
import random
import time

import requests

from tests.chaos.faults import Chaos
from tests.chaos.leaks import Holdings, holdings_of, leaks
from tests.chaos.stack import USERS, WORKERS, ChaosStack
from tests.support.waiting import wait_until

SOAK_S = float(os.environ.get("CHAOS_SOAK_S", "30"))
SEED = int(os.environ.get("CHAOS_SEED") or random.randrange(1 << 32))
SETTLE_S = 60


def soak(stack: ChaosStack, operator: requests.Session, *, kill_workers: bool) -> tuple[str, Chaos]:
    """Run a test under faults, and wait until every user runs again; returns the run's id."""
    print(f"repeat this with CHAOS_SEED={SEED} CHAOS_SOAK_S={SOAK_S:g}")
    run_id = stack.load(operator)
    # Other faults than in the other soak.
    chaos = Chaos(stack, SEED + kill_workers, kill_workers=kill_workers)

    chaos.run(SOAK_S)

    began = time.monotonic()
    stack.wait_for_leader(timeout_s=SETTLE_S)
    seconds = time.monotonic() - began
    print(f"{USERS} users on {WORKERS} workers {seconds:.1f} s after the last fault")
    return run_id, chaos


def holdings(stack: ChaosStack) -> dict[str, Holdings]:
    """What every process holds that still is the same, and does the same, when asked again."""
    return {stack.kind_of(container): holdings_of(container) for container in stack.containers()}


def test_every_request_is_counted_once_and_nothing_leaks_whatever_fails_but_a_worker(
    stack: ChaosStack, operator: requests.Session
) -> None:
    # What a process makes with its first run is no leak.
    stack.end(operator, stack.load(operator))
    before = holdings(stack)
    stack.reset_served()

    run_id, _ = soak(stack, operator, kill_workers=False)

    served, recorded = stack.end(operator, run_id)
    assert recorded == served
    try:
        wait_until(lambda: leaks(before, holdings(stack)) == [], "all given back", 30)
    finally:
        print("more than before:", *leaks(before, holdings(stack)), sep="\n")


def test_no_more_is_lost_with_killed_workers_than_the_events_of_the_run_say(
    stack: ChaosStack, operator: requests.Session
) -> None:
    run_id, chaos = soak(stack, operator, kill_workers=True)

    served, recorded = stack.end(operator, run_id)
    bounds = stack.lost_at_most(run_id)
    most = sum(bounds[worker] for worker in chaos.killed)
    print(f"lost {served - recorded} of {served} requests; at most {most} with {chaos.killed}")
    assert 0 <= served - recorded <= most
