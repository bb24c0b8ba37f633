"""A real load through the whole stack: requests made are requests counted, whoever leaves."""

import os
import signal
import subprocess

import pytest
import requests

from tests.support.containers import look_at
from tests.support.stack import DEMO, Stack
from tests.support.waiting import wait_until

WRONG_SETTINGS = (
    '{"user_class_name": "Nope", "weight": 1}',
    '{"user_class_name": "Shopper", "weight": "abc"}',
    '{"user_class_name": "Shopper", "fixed_count": "x"}',
    '{"user_class_name": "Shopper", "tasks": ["nothing"]}',
    "[" * 60_000,
)
# Run in a worker's container: sends what is no message to the leader, and waits until it left.
SEND_NO_MESSAGES = """
import zmq
context = zmq.Context()
socket = context.socket(zmq.DEALER)
socket.connect("tcp://locust-master:5557")
for _ in range(20):
    socket.send(bytes.fromhex("93a568656c6c6f"))
socket.close(linger=5000)
context.term()
"""


def dropped(stack: Stack) -> int:
    """Return how many messages the leader has dropped."""
    ask = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9090/metrics').read().decode())"
    lines = stack.execute("locust-master", "python", "-c", ask).splitlines()
    name = "locust_messages_dropped_total"
    return sum(round(float(line.split()[-1])) for line in lines if line.startswith(name))


def kill(container: str) -> None:
    """Kill a container's processes from outside, as a crash would."""
    inspect = ("docker", "inspect", "--format", "{{.State.Pid}}", container)
    pid = int(subprocess.run(inspect, capture_output=True, check=True).stdout)
    os.kill(pid, signal.SIGKILL)


def end_and_compare(stack: Stack, session: requests.Session, run_id: str) -> None:
    """Stop the run; the demo target, Locust and Postgres have the same count, exactly."""
    stack.stop(session, run_id)
    served = stack.served()
    counted = stack.run(session)["totals"]["requests"]
    stack.wait_until_recorded(run_id, served)
    assert counted == served


def test_a_run_is_counted_exactly_while_postgres_is_away_and_a_worker_leaves(
    stack: Stack, operator: requests.Session
) -> None:
    run_id = stack.start(operator, users=30, host=DEMO)
    stack.wait_for_requests(operator, 100)
    stack.compose("stop", "postgres")
    stack.scale(2)
    stack.wait_for_users(operator, 30)
    before = stack.run(operator)["totals"]["requests"]
    stack.wait_for_requests(operator, before + 100)
    stack.compose("up", "--detach", "--no-recreate", "--wait", "postgres")

    end_and_compare(stack, operator, run_id)


def test_what_cannot_be_set_or_read_costs_no_user_no_request_and_no_restart(
    stack: Stack, operator: requests.Session
) -> None:
    run_id = stack.start(operator, users=20, host=DEMO)
    stack.wait_for_users(operator, 20)
    started = {known["Id"]: known["State"]["StartedAt"] for known in look_at(*stack.containers())}

    answers = [
        operator.post(f"{stack.url}/user", data=wrong, timeout=10) for wrong in WRONG_SETTINGS
    ]

    stack.execute("locust-worker", "python", "-c", SEND_NO_MESSAGES)

    assert [answer.status_code for answer in answers] == [422] * len(WRONG_SETTINGS)
    wait_until(lambda: dropped(stack) == 20, "the master dropping 20 messages")
    before = stack.run(operator)["totals"]["requests"]
    stack.wait_for_requests(operator, before + 100)
    assert operator.get(f"{stack.url}/ready", timeout=10).status_code == 200
    assert (stack.run(operator)["users"], stack.run(operator)["workers"]) == (20, 3)
    assert started == {
        known["Id"]: known["State"]["StartedAt"] for known in look_at(*stack.containers())
    }
    end_and_compare(stack, operator, run_id)


def test_users_stay_while_workers_go_from_three_to_eight_to_two(
    stack: Stack, operator: requests.Session
) -> None:
    others = set(stack.containers()) - set(stack.containers("locust-worker"))
    run_id = stack.start(operator, users=24, host=DEMO)
    stack.wait_for_users(operator, 24)

    for workers in (8, 2):
        stack.compose("up", "--detach", "--scale", f"locust-worker={workers}")
        stack.wait_for_workers(operator, workers)
        stack.wait_for_users(operator, 24, timeout_s=60)

    assert others <= set(stack.containers()), "scaling recreated something"
    end_and_compare(stack, operator, run_id)


@pytest.mark.parametrize("service", ["redis", "console", "nginx", "demo-target"])
def test_a_run_goes_on_while_a_service_is_stopped_and_started(
    stack: Stack, operator: requests.Session, service: str
) -> None:
    run_id = stack.start(operator, users=20, host=DEMO)
    stack.wait_for_requests(operator, 50)
    stack.compose("stop", service)
    stack.compose("start", service)
    wait_until(lambda: stack.see(operator, "state") == "running", "the run seen again", 60)
    before = stack.run(operator)["totals"]["requests"]
    stack.wait_for_requests(operator, before + 50)

    stack.stop(operator, run_id)

    counted = stack.run(operator)["totals"]["requests"]
    stack.wait_until_recorded(run_id, counted)


def test_a_run_goes_on_when_its_master_was_stopped(
    stack: Stack, operator: requests.Session
) -> None:
    run_id = stack.start(operator, users=20, host=DEMO)
    stack.wait_for_requests(operator, 100)

    stack.compose("stop", "locust-master")
    stack.compose("start", "locust-master")

    stack.wait_for_users(operator, 20, timeout_s=30)
    stack.stop(operator, run_id)
    stack.wait_until_recorded(run_id, stack.served())
    stack.wait_for_state(run_id, "stopped")


def test_a_stopped_stack_ends_its_run_in_order_and_keeps_its_report(
    stack: Stack, operator: requests.Session
) -> None:
    run_id = stack.start(operator, users=20, host=DEMO)
    stack.wait_for_requests(operator, 100)

    stack.compose("stop", "locust-worker", "locust-master")
    served = stack.served()
    stack.compose("start", "locust-master", "locust-worker")

    stack.wait_until_recorded(run_id, served)
    stack.wait_for_state(run_id, "stopped")
    report = operator.get(f"{stack.url}/console/reports/{run_id}/report.html", timeout=30)
    assert report.status_code == 200
    assert "/products" in report.text


def test_users_of_a_killed_worker_are_back_within_ten_seconds(
    stack: Stack, operator: requests.Session
) -> None:
    stack.start(operator, users=30, host=DEMO)
    stack.wait_for_users(operator, 30)

    kill(stack.containers("locust-worker")[0])

    wait_until(lambda: stack.run(operator)["users"] < 30, "the loss seen", 10)
    stack.wait_for_users(operator, 30, timeout_s=10)


def test_a_worker_comes_back_by_itself_when_its_master_returns(
    stack: Stack, operator: requests.Session
) -> None:
    stack.compose("stop", "locust-master")
    stack.compose("start", "locust-master")

    stack.wait_for_workers(operator, 3)


def test_a_second_start_is_refused_with_the_name_of_who_runs_what(
    stack: Stack, operator: requests.Session, admin: requests.Session
) -> None:
    stack.start(operator, users=5, host=DEMO)

    answer = admin.post(f"{stack.url}/api/v1/runs", json={"users": 5, "spawn_rate": 5}, timeout=30)

    assert answer.status_code == 409
    assert "runs demo_shop.py against" in answer.json()["error"]


def test_a_target_outside_the_allow_list_is_refused_and_audited(
    stack: Stack, admin: requests.Session
) -> None:
    order = {"users": 5, "spawn_rate": 5, "host": "http://elsewhere.invalid"}

    answer = admin.post(f"{stack.url}/api/v1/runs", json=order, timeout=30)

    assert answer.status_code == 403
    assert "ALLOWED_TARGETS" in answer.json()["error"]
    query = "SELECT actor FROM audit_log WHERE detail->>'reason' LIKE '%elsewhere.invalid%'"
    wait_until(lambda: stack.sql(query)[:1] == ["admin"], "an audit entry", 15)
