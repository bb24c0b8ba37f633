"""Nobody gets in who does not belong, and everybody may do what their role says."""

import subprocess
from typing import Any

import pytest
import requests

from tests.support.containers import look_at
from tests.support.stack import ADDRESS, DEMO, Stack
from tests.support.waiting import wait_until

SWARM = {"user_count": 1, "spawn_rate": 1, "host": DEMO}
SECURITY_HEADERS = {
    "X-Content-Type-Options",
    "X-Frame-Options",
    "Referrer-Policy",
    "Content-Security-Policy",
}


def test_a_person_who_is_not_signed_in_is_sent_to_the_sign_in_page(deployed: Stack) -> None:
    answer = deployed.stranger().get(
        deployed.url + "/", headers={"Accept": "text/html"}, allow_redirects=False, timeout=10
    )

    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/console/sign-in?next=")


def test_a_program_that_is_not_signed_in_gets_401_in_json(deployed: Stack) -> None:
    answer = deployed.stranger().get(deployed.url + "/api/v1/runs", timeout=10)

    assert answer.status_code == 401
    assert answer.json()["error"]


@pytest.mark.parametrize(
    "path", ["/", "/console/sign-in", "/health", "/api/v1/runs", "/nothing", "/%2e%2e/stop"]
)
def test_every_answer_has_the_security_headers(deployed: Stack, path: str) -> None:
    answer = deployed.stranger().get(deployed.url + path, allow_redirects=False, timeout=10)

    assert set(answer.headers) >= SECURITY_HEADERS, (answer.status_code, answer.headers)
    assert "nginx/" not in answer.headers.get("Server", "")


def test_plain_http_is_redirected_to_the_published_https_port(deployed: Stack) -> None:
    answer = requests.get(
        f"http://{ADDRESS}:{deployed.http_port}/x?y=1", allow_redirects=False, timeout=10
    )

    assert answer.status_code == 308
    assert answer.headers["Location"] == f"{deployed.url}/x?y=1"


@pytest.mark.parametrize("path", ["/swarm", "/stop", "/stats/reset", "/%73top", "//stop"])
def test_a_viewer_cannot_change_anything(
    deployed: Stack, viewer: requests.Session, path: str
) -> None:
    answer = viewer.post(deployed.url + path, data=SWARM, timeout=10)

    assert answer.status_code in (400, 403)


def test_a_viewer_sees_the_run(stack: Stack, viewer: requests.Session) -> None:
    assert viewer.get(stack.url + "/stats/requests", timeout=10).json()["worker_count"] == 3


@pytest.mark.parametrize("origin", ["https://evil.example", "null", f"https://{ADDRESS}:1"])
@pytest.mark.parametrize("path", ["/swarm", "/stop", "/%73top", "/console/sign-out"])
def test_a_write_from_another_site_is_refused(
    deployed: Stack, admin: requests.Session, path: str, origin: str
) -> None:
    answer = admin.post(deployed.url + path, data=SWARM, headers={"Origin": origin}, timeout=10)

    assert answer.status_code == 403


def test_other_origins_are_not_allowed_to_read(deployed: Stack, admin: requests.Session) -> None:
    answer = admin.get(
        deployed.url + "/stats/requests", headers={"Origin": "https://evil.example"}, timeout=10
    )

    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_a_forged_user_header_changes_nothing(stack: Stack, operator: requests.Session) -> None:
    run_id = stack.start(operator, users=1, host=DEMO)

    answer = operator.post(
        stack.url + "/stop", headers={"X-Fleet-User": "somebody-else"}, timeout=60
    )

    assert answer.status_code == 200
    query = f"SELECT detail->>'by' FROM run_events WHERE run_id = '{run_id}' AND kind = 'stopped'"
    wait_until(lambda: bool(stack.sql(query)), "the stop in Postgres", 15)
    assert "somebody-else" not in stack.sql(query)[0]


@pytest.mark.parametrize("path", ["/", "/stats/requests", "/fleet/run"])
def test_a_container_beside_the_master_cannot_go_round_the_front(
    deployed: Stack, path: str
) -> None:
    code = f"import urllib.request as u; u.urlopen('http://locust-master:8089{path}', timeout=5)"
    command = ("docker", "exec", deployed.containers("locust-worker")[0], "python", "-c", code)

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert "HTTP Error 403" in done.stderr


def test_a_container_on_the_fleet_network_cannot_stop_a_run(
    stack: Stack, operator: requests.Session
) -> None:
    stack.start(operator, users=2, host=DEMO)
    code = (
        "import urllib.request as u;"
        "u.urlopen(u.Request('http://locust-master:8089/stop', data=b''), timeout=5)"
    )
    command = ("docker", "exec", stack.containers("locust-worker")[0], "python", "-c", code)

    subprocess.run(command, capture_output=True, check=False)

    assert stack.run(operator)["state"] in ("spawning", "running")


def test_only_nginx_publishes_ports(deployed: Stack) -> None:
    published = [known["Name"] for known in look_at(*deployed.containers()) if ports_of(known)]

    assert published == [f"/{deployed.project}-nginx-1"]


def ports_of(known: Any) -> list[Any]:
    """Return where the host lets others in to a container."""
    return [bound for bound in known["NetworkSettings"]["Ports"].values() if bound]


def test_a_revoked_token_stops_working(deployed: Stack) -> None:
    session = deployed.token("viewer")
    assert session.get(deployed.url + "/api/v1/run", timeout=10).status_code == 200
    ids = deployed.sql("SELECT max(id) FROM api_tokens")

    deployed.execute("console", "locust-fleet", "token", "revoke", ids[0])

    wait_until(
        lambda: session.get(deployed.url + "/api/v1/run", timeout=10).status_code == 401,
        "the token refused",
        15,
    )


def test_a_run_can_be_seen_and_stopped_while_postgres_is_away(
    stack: Stack, admin: requests.Session
) -> None:
    run_id = stack.start(admin, users=5, host=DEMO)
    stack.compose("stop", "postgres")
    try:
        assert stack.run(admin)["run"]["id"] == run_id
        assert admin.get(f"{stack.url}/api/v1/runs/{run_id}", timeout=10).json()["live"]
        stack.stop(admin, run_id)
    finally:
        stack.compose("up", "--detach", "--no-recreate", "--wait", "postgres")

    stack.wait_for_state(run_id, "stopped")


def test_the_front_says_what_is_missing(stack: Stack, admin: requests.Session) -> None:
    stack.compose("stop", "locust-master")
    try:
        page = admin.get(stack.url + "/", headers={"Accept": "text/html"}, timeout=30)
        ready = admin.get(stack.url + "/ready", timeout=10)
    finally:
        stack.compose("start", "locust-master")

    assert page.status_code in (502, 503)
    assert "master" in page.text
    assert ready.status_code == 503


def test_the_console_missing_is_said_by_the_front_itself(
    stack: Stack, admin: requests.Session
) -> None:
    stack.compose("stop", "console")
    try:
        page = admin.get(stack.url + "/", headers={"Accept": "text/html"}, timeout=30)
        health = admin.get(stack.url + "/health", timeout=10)
    finally:
        stack.compose("start", "console")
        wait_until(lambda: stack.see(admin, "state") is not None, "the console back", 60)

    assert page.status_code == 503
    assert "console" in page.text
    assert health.status_code == 200


def test_the_api_lists_a_run_with_its_totals_and_reports(
    stack: Stack, operator: requests.Session, viewer: requests.Session
) -> None:
    run_id = stack.start(operator, users=10, host=DEMO, name="a name")
    stack.wait_for_requests(operator, 50)
    stack.stop(operator, run_id)
    stack.wait_for_state(run_id, "stopped")

    run: Any = viewer.get(f"{stack.url}/api/v1/runs/{run_id}", timeout=10).json()

    assert run["name"] == "a name"
    assert run["totals"][-1]["name"] == "Aggregated"
    assert run["totals"][-1]["requests"] == stack.served()
    assert "report.html" in run["reports"]
