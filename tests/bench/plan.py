"""What planning costs: a ramp-up in one step, and the leave of a worker.

Usage: python -m tests.bench.plan [--json]
"""

from __future__ import annotations

import time
from collections.abc import Callable

from locust_fleet.master.dispatch.assignment import Kind, Plan, Share
from tests.bench import table

WORKERS = 1000
USERS = 100_000
KINDS = [Kind("Browser", 5), Kind("Buyer", 2), Kind("Searcher", 1), Kind("Admin", 1, fixed=10)]
# Planning so many times as many users may take so many times as long, and little more.
SIZES = ((1000, 10_000), (1000, 100_000), (10, 100_000), (4000, 100_000))


def measured(action: Callable[[], object]) -> float:
    """Return the CPU seconds that an action takes."""
    began = time.process_time()
    action()
    return time.process_time() - began


def ramp_up(workers: int, users: int) -> tuple[Plan, float]:
    """Plan all users at once; returns the plan and its CPU seconds."""
    plan = Plan(KINDS)
    plan.set_workers(
        {f"host{n % 50}_{n:04}": Share(1 + n % 3, 500_000) for n in range(workers)}, {}
    )
    plan.set_target(users, KINDS)
    seconds = measured(lambda: plan.advance(users))
    assert plan.count == users
    return plan, seconds


def lose_one(plan: Plan) -> float:
    """Take a worker out and start its users elsewhere; returns CPU seconds."""
    _, *rest = plan.shares

    def leave() -> None:
        plan.set_workers({worker: plan.shares[worker] for worker in rest}, {})
        while plan.advance(plan.target):
            pass

    return measured(leave)


def measure(workers: int, users: int) -> tuple[table.Cell, ...]:
    """Return a line of the table."""
    plan, seconds = ramp_up(workers, users)
    return f"{workers} workers, {users} users", seconds, 1e6 * seconds / users, lose_one(plan)


if __name__ == "__main__":
    arguments = table.parser(__doc__).parse_args()
    columns = ("", "a ramp-up, s", "us per user", "a leave, s")
    rows = tuple(measure(*size) for size in SIZES)
    table.show(arguments, table.Table("CPU of dividing users among workers", columns, rows))
