"""Play the scenarios that come in by name, one per line, and print each outcome as JSON.

``python -m tests.integration.users.child KIND PLACES``: its own process, because importing Locust
makes waiting gevent's, which pytest-xdist does not survive.
"""

from __future__ import annotations

from tests.integration.users.stage import Stage, play  # isort: skip

import json
import sys
from typing import Any

import gevent

from locust_fleet.seams import replace
from tests.integration.users import scenarios
from tests.integration.users.table import TABLE


def main(kind: str, places: dict[str, Any]) -> None:
    know_names_of_tests()
    scenarios.load()
    print("ready", flush=True)
    for line in sys.stdin:
        stage = Stage(kind, places)
        outcome = play(stage, TABLE[line.strip()].play)
        stage.close()
        print(json.dumps(outcome), flush=True)


def know_names_of_tests() -> None:
    """Let every name that ends in ``.test`` be this machine."""
    resolver = gevent.get_hub().resolver
    look_up = resolver.getaddrinfo

    def getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        return look_up("127.0.0.1" if str(name).endswith(".test") else host, *args, **kwargs)

    replace(resolver, "getaddrinfo", getaddrinfo)


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
