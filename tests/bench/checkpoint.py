"""What a checkpoint costs the master, and how large it is in Redis.

Freezing keeps Locust's loop waiting; packing is done beside it.

Usage: python -m tests.bench.checkpoint [--names 1 100 500 2000] [--json]
"""

from __future__ import annotations

from locust.stats import RequestStats

import random
import time
from typing import Any

from locust_fleet.master.failover.checkpoint_store import MOST_BYTES, freeze, pack
from locust_fleet.master.failover.locust_state import dump_statistics, restore_statistics
from locust_fleet.protocol.histogram import response_time_of, step_of
from tests.bench import table

REQUESTS_PER_NAME = 2000


def statistics(names: int) -> RequestStats:
    """Return statistics of a long run: each name with response times of all kinds."""
    stats, chance = RequestStats(), random.Random(1)
    for name in range(names):
        for entry in (stats.total, stats.entries[f"/names/{name}", "GET"]):
            for _ in range(REQUESTS_PER_NAME):
                time_ms: Any = response_time_of(step_of(chance.lognormvariate(3, 1)))
                entry.response_times[time_ms] += 1
                entry.num_requests += 1
    return stats


def measure(names: int) -> tuple[table.Cell, ...]:
    """Return a line of the table."""
    stats = statistics(names)
    began = time.process_time()
    state = {"statistics": dump_statistics(stats)}
    parts = freeze(state)
    collected = time.process_time()
    packed = pack(parts, MOST_BYTES)
    done = time.process_time()
    restore_statistics(RequestStats(), state["statistics"])
    restored = time.process_time()
    times = (collected - began, done - collected, restored - done)
    freeze_ms, pack_ms, restore_ms = (1000 * each for each in times)
    return f"{names} names", freeze_ms, pack_ms, len(packed) / 1024, restore_ms


if __name__ == "__main__":
    options = table.parser(__doc__)
    options.add_argument("--names", type=int, nargs="+", default=[1, 100, 500, 2000])
    arguments = options.parse_args()
    columns = ("", "freeze, ms", "pack, ms", "KiB in Redis", "restore, ms")
    rows = tuple(map(measure, arguments.names))
    table.show(arguments, table.Table("A checkpoint of the master", columns, rows))
