"""Do what comes in, one JSON line each, with users of one kind, and print each outcome as JSON.

``python -m tests.integration.fleet_http.child KIND``: its own process, because importing Locust
makes waiting gevent's, which pytest-xdist does not survive. Whoever starts it imports none of this.
"""

from __future__ import annotations

from tests.integration.fleet_http.siege import listen, meet  # isort: skip
from tests.integration.fleet_http.storm import many, weather  # isort: skip
from tests.integration.fleet_http.stage import Stage, play  # isort: skip

import json
import sys
from typing import Any

import gevent
import gevent.socket

from locust_fleet.locust_patches.patch import replace
from tests.integration.fleet_http import scenarios
from tests.integration.fleet_http.table import TABLE


def main(kind: str) -> None:
    know_names_of_tests()
    # The first one opens what gevent keeps.
    gevent.socket.getaddrinfo("localhost", 1)
    scenarios.load()
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        task = json.loads(line)
        stage = Stage(kind, task.pop("places"))
        try:
            print(json.dumps(outcome(stage, task)), flush=True)
        finally:
            stage.close()


def outcome(stage: Stage, task: dict[str, Any]) -> dict[str, Any]:
    if "scenario" in task:
        return play(stage, TABLE[task["scenario"]].play)
    if "listen" in task:
        return listen(stage, task["listen"], task["follow"])
    if "storm" in task:
        return weather(stage, task["storm"], task["at"])
    if "ask" in task:
        return {"status": stage.client.request(**task["ask"]).status_code}
    if "different" in task:
        return many(stage, task["different"])
    return meet(stage, **task)


def know_names_of_tests() -> None:
    """Let every name that ends in ``.test`` be this machine."""
    resolver = gevent.get_hub().resolver
    look_up = resolver.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        return look_up("127.0.0.1" if str(name).endswith(".test") else host, *args, **kwargs)

    replace(resolver, "getaddrinfo", getaddrinfo)


if __name__ == "__main__":
    main(sys.argv[1])
