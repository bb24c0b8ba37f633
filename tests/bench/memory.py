"""How much memory samples cost the master as time goes by, with a simulated clock.

Usage: python -m tests.bench.memory [--names 100] [--minutes 30] [--json]
"""

from __future__ import annotations

from locust.runners import MasterRunner
from locust.stats import RequestStats, update_stats_history
from locust.util.date import format_utc_timestamp

import gc
import random
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from types import SimpleNamespace
from typing import cast

import psutil

from locust_fleet.locust_patches.stats_buckets import count_in_steps
from locust_fleet.locust_patches.stats_memory import keep_snapshots_small, trim_stats
from locust_fleet.locust_patches.stats_names import bound_names
from tests.bench import table
from tests.bench.clock import simulated_clock
from tests.unit.fleet import Master, Worker

REQUESTS_PER_NAME_AND_SECOND = 3
REPORT_INTERVAL_S = 3
HISTORY_INTERVAL_S = 5


def simulate(names: int, minutes: int, *, stock: bool) -> list[table.Cell]:
    """Return MB after every ten minutes, and the CPU seconds of reports in a minute."""
    chance, process = random.Random(1), psutil.Process()
    if not stock:
        count_in_steps()
        bound_names(2000)
        keep_snapshots_small()
    before, busy = process.memory_info().rss, 0.0
    found: list[table.Cell] = []
    with simulated_clock() as clock:
        master, workers = Master(keep_reports=False), [Worker(stock=stock) for _ in range(2)]
        runner = cast(MasterRunner, SimpleNamespace(stats=master.stats, user_count=100))
        start = clock.now
        for second in range(60 * minutes):
            clock.now = start + second
            for name in range(names * REQUESTS_PER_NAME_AND_SECOND):
                log(chance.choice(workers).stats, name % names, chance)
            took = time.process_time()
            if second % REPORT_INTERVAL_S == 0:
                for worker in workers:
                    master.take(worker.report())
            if second % HISTORY_INTERVAL_S == 0:
                update_stats_history(runner, format_utc_timestamp(clock.now))
                if not stock:
                    trim_stats(master.stats)
            busy += time.process_time() - took
            if second % 600 == 599:
                gc.collect()
                found.append((process.memory_info().rss - before) / 1e6)
    return [*found, busy / minutes]


def log(statistics: RequestStats, number: int, chance: random.Random) -> None:
    """Log a request that takes from a hundredth of a second to many seconds."""
    response_time = chance.lognormvariate(3 + number % 5, 1.2)
    statistics.log_request("GET", f"/shop/products/{number}", cast(int, response_time), 4321)
    if chance.random() < 0.01:
        statistics.log_error("GET", f"/shop/products/{number}", f"no order {chance.random()}")


def measure(names: int, minutes: int, *, stock: bool) -> tuple[table.Cell, ...]:
    """Return a line of the table; in a process of its own, which begins without any."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        found = process.submit(simulate, names, minutes, stock=stock).result()
    return ("Locust as it is" if stock else "ours", *found)


def main() -> None:
    """Read the command line, simulate and print."""
    parser = table.parser(__doc__)
    parser.add_argument("--names", type=int, default=100)
    parser.add_argument("--minutes", type=int, default=30, help="a multiple of 10")
    arguments = parser.parse_args()
    names, minutes = arguments.names, arguments.minutes
    times = [f"MB after {each} min" for each in range(10, minutes + 1, 10)]
    columns = ("", *times, "s of CPU a minute for reports")
    rows = tuple(measure(names, minutes, stock=stock) for stock in (True, False))
    title = f"Memory of a master as time goes by, two workers and {names} names"
    table.show(arguments, table.Table(title, columns, rows))


if __name__ == "__main__":
    main()
