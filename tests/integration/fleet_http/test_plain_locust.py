"""A whole test with our user, in a plain Locust."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.integration.fleet_http.player import Player
from tests.integration.fleet_http.recorder import Recorder

USERS, TASKS = 10, 40
# They end by themselves: who is stopped may be just about to ask.
LOCUSTFILE = f"""
import gevent
from locust import task
from locust.exception import StopUser
from locust_fleet.users import FleetHttpUser

class Shopper(FleetHttpUser):
    wait_time = lambda self: 0.01
    ended = 0

    def on_start(self):
        self.tasks_done = 0
        self.client.get("/cookies?set=session%3D1")

    @task
    def look(self):
        self.client.get("/json")
        with self.client.post("/order", json={{"a": 1}}, catch_response=True) as response:
            response.failure("sold out")
        with self.rest("GET", "/json") as response:
            assert response.js["greeting"] == "hello"
        self.tasks_done += 1
        if self.tasks_done == {TASKS}:
            Shopper.ended += 1
            if Shopper.ended == {USERS}:
                gevent.spawn(self.environment.runner.quit)
            raise StopUser
"""


def test_what_locust_counts_is_what_the_server_saw(recorder: Recorder, tmp_path: Path) -> None:
    (tmp_path / "locustfile.py").write_text(LOCUSTFILE)
    recorder.take()
    options = ("--headless", "--users", str(USERS), "--spawn-rate", str(USERS))
    quiet = ("--json", "--exit-code-on-error", "0")
    done = subprocess.run(
        (sys.executable, "-m", "locust", *options, *quiet, "--host", recorder.places["http"]),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    counted = {
        f"{entry['method']} {entry['name']}": (entry["num_requests"], entry["num_failures"])
        for entry in json.loads(done.stdout)
    }
    assert counted == {
        "GET /cookies?set=session%3D1": (USERS, 0),
        "GET /json": (2 * TASKS * USERS, 0),
        "POST /order": (TASKS * USERS, TASKS * USERS),
    }
    seen = [f"{one['method']} {one['target']}" for one in recorder.take()]
    assert {name: seen.count(name) for name in seen} == {
        name: requests for name, (requests, _) in counted.items()
    }


def test_memory_does_not_grow_with_what_is_asked(victim: Player, recorder: Recorder) -> None:
    outcome = victim.do(recorder.places, different=6000)

    assert outcome["bytes"] < 5_000_000
    assert outcome["failures"] == 0
    recorder.take()
