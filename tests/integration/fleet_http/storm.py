"""Many requests of one user at once, of which many are broken off at any moment."""

from __future__ import annotations

from locust.exception import StopUser

from tests.integration.fleet_http.siege import open_connections  # isort: skip
from tests.integration.fleet_http.stage import Stage  # isort: skip

import gc
import random
from contextlib import suppress
from typing import Any

import gevent
import psutil
from gevent.pool import Group, Pool

AT_ONCE = 20
# Answers take up to so long, in s; so does the time that a user waits for them.
SLOWEST_S = 0.02


def weather(stage: Stage, requests: int, place: str) -> dict[str, Any]:
    """Return how many answers came, which were another's, and how many were given up."""
    gc.collect()
    connections = open_connections()
    dice = random.Random(5)
    outcome: dict[str, Any] = {"right": 0, "wrong": [], "broken_off": 0}

    def ask(client: Any, number: int, pause_s: float, timeout_s: float) -> None:
        text = f"{number:06}"
        response = None
        with suppress(gevent.Timeout), gevent.Timeout(timeout_s):
            response = client.get(f"/echo?text={text}&s={pause_s}", name="echo")
        if response is None:
            outcome["broken_off"] += 1
        elif response.text == text:
            outcome["right"] += 1
        else:
            outcome["wrong"].append([text, response.status_code, response.text])

    def ask_all(user: Any) -> None:
        pool = Pool(AT_ONCE)
        for number in range(requests):
            pause_s, timeout_s = dice.uniform(0, SLOWEST_S), dice.uniform(0, 2 * SLOWEST_S)
            pool.spawn(ask, user.client, number, round(pause_s, 4), timeout_s)
        pool.join()
        raise StopUser

    user = stage.user(stage.places[place], tasks=[ask_all], verify=stage.places["authority"])
    user.start(Group()).join()
    del user
    gevent.sleep(0.01)
    return {**outcome, "left_open": open_connections() - connections}


def many(stage: Stage, requests: int) -> dict[str, Any]:
    """Return by how much memory grows in the second half of requests that are all different."""
    client = stage.client
    resident: list[int] = []
    for half in range(2):
        for number in range(half * requests // 2, (half + 1) * requests // 2):
            client.get(
                f"/{number}?a={number}",
                params={"b": number},
                headers={"X-Number": str(number), "Authorization": f"Bearer {number}"},
                cookies={f"c{number}": "1"},
                auth=(f"user{number}", "secret"),
                name="all",
            )
            stage.reported.clear()
        gc.collect()
        resident.append(psutil.Process().memory_info().rss)
    failures = sum(entry["failures"] for entry in stage.statistics().values())
    return {"bytes": resident[1] - resident[0], "failures": failures}
