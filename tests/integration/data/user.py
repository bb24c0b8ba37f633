"""A worker's process, told by its standard input what to do with shared data.

python -m tests.integration.data.user PORT RUN WORKER SOURCE
"""

from __future__ import annotations

import locust

import json
import sys
from typing import Any

import gevent

from locust_fleet import data
from locust_fleet.data.client import DataClient
from locust_fleet.data.lock import Lock
from locust_fleet.data.redis_store import RedisStore
from locust_fleet.data.source import Source
from locust_fleet.errors import FleetError
from locust_fleet.settings.stores import RedisSettings
from tests.integration.data import history
from tests.support.engine import ADDRESS
from tests.support.redis import as_worker

__all__ = ["locust"]


def main(port: str, run: str, worker: str, expiry_s: str, where: str) -> None:
    store = RedisStore(as_worker(RedisSettings(ADDRESS, int(port), "test")))
    client = DataClient(store, lambda: run, lambda: worker, float(expiry_s))
    data.registry.use(client)
    data.registry.declare(Source("accounts", where, "wait"))
    gevent.spawn(client.watch)
    held: list[data.Lease] = []
    locks: list[Lock] = []
    say("ready")
    for line in iter(lambda: gevent.get_hub().threadpool.apply(sys.stdin.readline), ""):
        try:
            say(do(json.loads(line), held, locks))
        except FleetError as error:
            say({"error": type(error).__name__, "text": str(error)})


def do(command: list[Any], held: list[data.Lease], locks: list[Lock]) -> Any:
    match command:
        case ["open", run]:
            return data.registry.client.open(run)
        case ["close", run]:
            return data.registry.client.store.close(run)
        case ["history", seed]:
            return history.live(data.registry.client.store, seed)
        case ["rejoin"]:
            return history.rejoin(data.registry.client.store)
        case ["lease", timeout_s]:
            held.append(data.lease("accounts", timeout_s).__enter__())
            return held[-1].value
        case ["read"]:
            return held[-1].value
        case ["return"]:
            return held.pop().__exit__(None, None, None)
        case ["count", amount]:
            return data.counter("orders").add(amount)
        case ["members"]:
            return list(data.members("active_workers"))
        case ["lock", wait_s]:
            locks.append(data.lock("cleanup"))
            return locks[-1].acquire(wait_s)
        case ["check lock"]:
            return locks[-1].check()
        case ["enter", member]:
            return data.members("buyers").join(member)
        case ["buyers"]:
            return list(data.members("buyers"))
        case ["leave"]:
            return data.registry.client.end()
        case ["requests", number]:
            data.registry.client.requests_made += number
            return None
        case ["all requests"]:
            return dict(data.requests())
        case ["spin", seconds, users]:
            return spin(seconds, users)
    raise ValueError(command)


def spin(seconds: float, users: int) -> dict[str, int]:
    """Lease and return as often as it goes; returns how often."""
    leases = 0

    def user() -> None:
        nonlocal leases
        while True:
            with data.lease("accounts") as account:
                account.check()
                leases += 1
                gevent.sleep(0)

    spinning = [gevent.spawn(user) for _ in range(users)]
    gevent.sleep(seconds)
    gevent.killall(spinning)
    return {"leases": leases}


def say(answer: Any) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
