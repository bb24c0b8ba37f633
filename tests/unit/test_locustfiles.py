"""The scenarios that come with the stack, and the options it gives to Locust.

Locust patches the process that imports it, so it is asked in processes of its own.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
LOCUSTFILES = sorted((ROOT / "locustfiles").glob("*.py"))
CONF = ROOT / "conf" / "production.conf"

OPTIONS = """
import json, sys
from locust.argument_parser import parse_options
seen = {mode: vars(parse_options(["-f", "-", mode, "--config", sys.argv[1]]))
        for mode in ("--master", "--worker")}
print(json.dumps(seen, default=str))
"""
STAGES = """
import json, runpy, sys
scenario = runpy.run_path(sys.argv[1])
shape = scenario["Stages"]() if "Stages" in scenario else None
ticks = []
for at in map(float, sys.argv[2:]):
    shape.start_time = __import__("time").perf_counter() - at
    ticks.append(shape.tick())
print(json.dumps([shape is not None, ticks]))
"""


# What a scenario that uses something of ours needs beside Locust.
OURS = {"PYTHONPATH": str(ROOT / "src")}


def run(*command: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LOCUST_", "SCENARIO_", "PYTHONPATH"))
    }
    return subprocess.run(
        [sys.executable, *command],
        env=clean | env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def options() -> Any:
    done = run("-c", OPTIONS, CONF)
    assert done.returncode == 0, done.stderr
    # Locust prints a warning of its own above.
    return json.loads(done.stdout.splitlines()[-1])


def test_there_are_the_scenarios_that_the_docs_name() -> None:
    assert {file.stem for file in LOCUSTFILES} == {
        "demo_shop",
        "distributed_demo",
        "open_model",
        "production_test",
        "shared_data",
        "upload_test",
    }


@pytest.mark.parametrize("file", LOCUSTFILES, ids=lambda file: file.stem)
def test_a_scenario_is_read_by_stock_locust(file: Path) -> None:
    # One shows that nothing of ours is needed.
    ours = {} if file.stem == "demo_shop" else OURS
    done = run("-m", "locust", "-f", file, "--list", **ours)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^\s+\w+$", done.stdout, re.MULTILINE)


def test_the_demo_shop_weighs_its_tasks_three_to_two_to_one() -> None:
    done = run("-m", "locust", "-f", ROOT / "locustfiles/demo_shop.py", "--show-task-ratio-json")
    tasks = json.loads(done.stdout)["per_class"]["Shopper"]["tasks"]
    assert {name: round(task["ratio"] * 6) for name, task in tasks.items()} == {
        "browse_products": 3,
        "look_at_home": 2,
        "purchase": 1,
    }


def test_without_stages_the_ui_decides() -> None:
    done = run("-c", STAGES, ROOT / "locustfiles/production_test.py", **OURS)
    assert json.loads(done.stdout) == [False, []]


def test_stages_follow_each_other_and_end() -> None:
    done = run(
        "-c",
        STAGES,
        ROOT / "locustfiles/production_test.py",
        *("0", "59", "61", "119", "121", "150"),
        **OURS,
        SCENARIO_STAGES="50:60:5,200:60,10:20",
    )
    assert json.loads(done.stdout)[1] == [
        [50, 5.0],
        [50, 5.0],
        [200, pytest.approx(200 * 10 / 60)],
        [200, pytest.approx(200 * 10 / 60)],
        [10, 5.0],
        None,
    ]


@pytest.mark.parametrize(
    "stages", ["x", "10", "10:0", "-1:5", "1.5:5", "1:5:0", "1:5:1:1", "1:nan"]
)
def test_a_stage_that_is_none_is_named_with_what_would_be_right(stages: str) -> None:
    done = run(
        *("-m", "locust", "-f", ROOT / "locustfiles/production_test.py"),
        **OURS,
        SCENARIO_STAGES=stages,
    )
    assert done.returncode != 0
    assert f"SCENARIO_STAGES holds '{stages}'; use USERS:SECONDS[:RATE]" in done.stderr


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"SCENARIO_UPLOAD_MB": "0"}, "SCENARIO_UPLOAD_MB is '0'; use a number above 0"),
        ({"SCENARIO_UPLOAD_EVERY_S": "nan"}, "SCENARIO_UPLOAD_EVERY_S is 'nan'; use a number"),
        ({"SCENARIO_HEARTBEAT_EVERY_S": "often"}, "SCENARIO_HEARTBEAT_EVERY_S is 'often'; use a"),
        ({"SCENARIO_UPLOAD_FILE": "none.zip"}, "SCENARIO_UPLOAD_FILE is 'none.zip'; put that file"),
    ],
)
def test_a_setting_of_the_upload_that_is_none_is_named(setting: dict[str, str], words: str) -> None:
    done = run("-m", "locust", "-f", ROOT / "locustfiles/upload_test.py", **OURS, **setting)
    assert done.returncode != 0
    assert words in done.stderr


class Thanks(BaseHTTPRequestHandler):
    """A target that is not the demo shop."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"thanks")

    def log_message(self, *_: object) -> None:
        pass


def test_an_upload_to_a_target_with_other_answers_is_counted_at_its_rhythm() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Thanks) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        done = run(
            *("-m", "locust", "-f", ROOT / "locustfiles/upload_test.py", "--headless"),
            *("--host", f"http://127.0.0.1:{server.server_port}", "--run-time", "4s", "--json"),
            **OURS,
            SCENARIO_UPLOAD_MB="0.01",
            SCENARIO_UPLOAD_EVERY_S="0.5",
        )
        server.shutdown()
    [uploads] = [entry for entry in json.loads(done.stdout) if entry["name"] == "/upload"]
    assert 1 <= uploads["num_requests"] == uploads["num_failures"] <= 10


def test_locust_accepts_every_option_of_production_conf_in_master_and_worker() -> None:
    expected = {
        "num_users": 1000,
        "spawn_rate": 50.0,
        "run_time": 30 * 60,
        "stop_timeout": 60,
        "enable_rebalancing": True,
    }
    for seen in options().values():
        assert {name: seen[name] for name in expected} == expected


def test_production_conf_sets_nothing_that_harms_a_run() -> None:
    for seen in options().values():
        assert not seen["reset_stats"]
        assert not seen["headless"]
        assert not seen["logfile"]
        assert not seen["html_file"]
        assert not seen["csv_prefix"]


def test_each_option_of_production_conf_has_a_reason_above_it() -> None:
    lines = CONF.read_text(encoding="utf-8").splitlines()
    for above, line in zip(["", *lines], lines, strict=False):
        if line and not line.startswith("#"):
            assert above.startswith("# ")
