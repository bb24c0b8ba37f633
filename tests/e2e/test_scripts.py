"""A pipeline's run, and an emergency stop."""

import json
import signal
import subprocess
from pathlib import Path

import requests

from tests.support.process import interrupt, start_script
from tests.support.stack import DEMO, Stack
from tests.support.waiting import wait_until

FLAKY = """
import os
import pathlib
import socket

from locust import HttpUser, constant, task

# What a scenario may need: without it, this file does not import.
assert os.environ["SCENARIO_COLOUR"] == "blue 'sky'"
assert pathlib.Path("/run/secrets/scenario/token").read_text() == "secret of a scenario"
assert socket.gethostbyname("host.docker.internal")

class Shopper(HttpUser):
    wait_time = constant(0.1)

    @task
    def flaky(self):
        self.client.get("/flaky?rate=0.5", name="/flaky")
"""


def run_test(stack: Stack, *arguments: str) -> subprocess.CompletedProcess[str]:
    return stack.script("run_test.sh", "--users=10", "--spawn-rate=10", *arguments)


def test_a_good_run_ends_with_0_its_table_and_its_reports(stack: Stack) -> None:
    done = run_test(stack, "--run-time=8s", "--name=nightly run")

    assert done.returncode == 0, done.stderr
    assert "/products" in done.stderr
    reports = Path(done.stdout.strip())
    assert sorted(file.name for file in reports.iterdir()) == [
        "exceptions.csv",
        "failures.csv",
        "report.html",
        "requests.csv",
    ]
    assert stack.recorded(reports.name) == stack.served()


def test_another_locustfile_with_failures_beyond_the_limit_ends_with_1(
    stack: Stack,
) -> None:
    stack.locustfile("flaky.py", FLAKY)
    flaky = ("--run-time=5s", "--locustfile=flaky.py")

    done = [run_test(stack, *flaky, f"--max-failure-ratio={ratio}") for ratio in ("0", "0.9")]

    assert [run.returncode for run in done] == [1, 0], done[0].stderr + done[1].stderr
    assert "/flaky" in done[0].stderr
    # Another locustfile was switched to, and Compose by hand has nothing to recreate for it.
    assert "Recreate" not in stack.plan("--scale", "locust-worker=4")
    stack.set_env(LOCUSTFILE="demo_shop.py")
    assert stack.deploy().returncode == 0


def test_workers_share_accounts_vouchers_and_numbers(stack: Stack) -> None:
    done = run_test(stack, "--run-time=15s", "--locustfile=shared_data.py")
    try:
        assert done.returncode == 0, done.stderr
        run_id = Path(done.stdout.strip()).name
        [text] = stack.sql(
            f"SELECT detail FROM run_events WHERE run_id = '{run_id}' AND kind = 'shared data'"
        )
        [orders] = stack.sql(
            "SELECT requests - failures FROM run_totals"
            f" WHERE run_id = '{run_id}' AND name = '/purchase'"
        )
    finally:
        stack.set_env(LOCUSTFILE="demo_shop.py")
        again = stack.deploy()
    assert again.returncode == 0, again.stderr
    said = json.loads(text)
    # Each order has a number of its own, whichever of the workers made it.
    assert said["counter orders"] == int(orders) > 0
    assert said["counter prepared"] == 1
    assert said["source accounts"].startswith("40 records")
    assert said["requests"].count(";") == 2


def test_wrong_arguments_end_with_2(deployed: Stack) -> None:
    assert run_test(deployed, "--run-time=soon").returncode == 2


def test_a_target_outside_the_allow_list_ends_with_2_and_the_reason(stack: Stack) -> None:
    done = run_test(stack, "--run-time=5s", "--host=http://elsewhere.invalid")

    assert done.returncode == 2
    assert "ALLOWED_TARGETS" in done.stderr


def test_without_workers_it_ends_with_4(stack: Stack, operator: requests.Session) -> None:
    stack.scale(0)
    try:
        stack.wait_for_workers(operator, 0)
        done = run_test(stack, "--run-time=5s")
    finally:
        stack.scale(3)

    assert done.returncode == 4, done.stderr


def test_a_target_that_is_away_ends_with_4(stack: Stack) -> None:
    stack.compose("stop", "demo-target")
    try:
        done = run_test(stack, "--run-time=5s")
    finally:
        stack.compose("up", "--detach", "--no-recreate", "--wait", "demo-target")

    assert done.returncode == 4, done.stderr


def test_ctrl_c_stops_the_run(stack: Stack, operator: requests.Session) -> None:
    script = stack.folder / "scripts" / "run_test.sh"
    process = start_script(script, "--users=5", "--spawn-rate=5", "--run-time=5m")
    stack.wait_for_users(operator, 5)

    code, words = interrupt(process, signal.SIGINT)

    assert code == 130, words
    wait_until(lambda: stack.run(operator)["users"] == 0, "no users", 15)


def test_the_emergency_stop_needs_the_master_alone(
    stack: Stack, operator: requests.Session
) -> None:
    stack.start(operator, users=5, host=DEMO)
    stack.wait_for_users(operator, 5)
    away = ("nginx", "console", "postgres", "redis")
    stack.compose("stop", *away)
    try:
        done = stack.script("stop_run.sh")
    finally:
        stack.compose("up", "--detach", "--no-recreate", "--wait", *away)

    assert done.returncode == 0, done.stderr
    assert "stopped" in done.stdout
    wait_until(lambda: stack.see(operator, "users") == 0, "no users", 30)


def test_an_emergency_stop_without_a_run_says_so(stack: Stack) -> None:
    assert "no run is active" in stack.script("stop_run.sh").stdout


def test_data_is_not_deleted_without_yes(deployed: Stack) -> None:
    done = deployed.script("stop.sh", "--delete-data")

    assert done.returncode == 2
    assert deployed.containers("postgres")
