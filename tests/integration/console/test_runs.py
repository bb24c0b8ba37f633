"""Runs on pages and in the API."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from psycopg.types.json import Jsonb

from locust_fleet.runtime.postgres import Connection
from tests.integration.console.conftest import (
    PAGE,
    RUN_ID,
    Front,
    Master,
    idle_status,
    running_status,
)

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def add_run(database: Connection, run_id: str = RUN_ID, state: str = "finished") -> None:
    ended = STARTED + timedelta(seconds=100) if state != "running" else None
    database.execute(
        "INSERT INTO runs (id, name, started_by, locustfile, host, users, spawn_rate, run_time_s,"
        " started_at, ended_at, image_version, state)"
        " VALUES (%s, 'evening <b>', 'olga', '/locustfiles/demo_shop.py', 'http://shop', 12, 2,"
        " 60, %s, %s, 'v1', %s)",
        (run_id, STARTED, ended, state),
    )


def add_totals(
    database: Connection, name: str, requests: int, histogram: Mapping[str, int]
) -> None:
    database.execute(
        "INSERT INTO run_totals (run_id, method, name, requests, failures, sum_ms, min_ms, max_ms,"
        " response_bytes, histogram) VALUES (%s, 'GET', %s, %s, 1, %s, 1, 900, 0, %s)",
        (RUN_ID, name, requests, 10 * requests, Jsonb(histogram)),
    )


def add_sample(database: Connection, seq: int, name: str, histogram: Mapping[str, int]) -> None:
    count = sum(histogram.values())
    database.execute(
        "INSERT INTO run_samples (run_id, seq, method, name, at, requests, failures, sum_ms,"
        " min_ms, max_ms, response_bytes, histogram)"
        " VALUES (%s, %s, 'GET', %s, %s, %s, 0, %s, 1, 9, 0, %s)",
        (RUN_ID, seq, name, STARTED, count, 10.0 * count, Jsonb(histogram)),
    )


def get(front: Front, path: str) -> Any:
    answer = front.ask("GET", path)
    assert answer.status_code == 200, answer.text
    return answer.json


def test_a_finished_run_has_totals_with_percentiles_of_its_histograms(
    database: Connection, vera: Front
) -> None:
    add_run(database)
    add_totals(database, "/", 100, {"10": 90, "200": 10})
    add_totals(database, "/login", 100, {"900": 100})
    database.execute(
        "INSERT INTO run_failures VALUES (%s, 'GET', '/login', 'HTTP 500', 2)", (RUN_ID,)
    )
    database.execute(
        "INSERT INTO run_events VALUES (gen_random_uuid(), %s, %s, 'worker left', %s)",
        (RUN_ID, STARTED, Jsonb({"worker": "w1"})),
    )

    run = get(vera, f"/api/v1/runs/{RUN_ID}")

    assert (run["state"], run["stored"], run["live"]) == ("finished", True, None)
    assert [
        (row["name"], row["requests"], row["p50_ms"], row["p95_ms"]) for row in run["totals"]
    ] == [("/", 100, 10, 200), ("/login", 100, 900, 900), ("Aggregated", 200, 900, 900)]
    assert run["totals"][-1]["requests_per_second"] == 2.0
    assert run["failures"] == [
        {"method": "GET", "name": "/login", "error": "HTTP 500", "occurrences": 2}
    ]
    assert run["events"] == [
        {"at": "2026-01-02T03:04:05+00:00", "kind": "worker left", "detail": {"worker": "w1"}}
    ]


def test_a_run_with_arrivals_shows_times_from_the_intended_start_and_what_was_dropped(
    database: Connection, vera: Front
) -> None:
    add_run(database)
    add_totals(database, "/", 100, {"10": 90, "20": 10})
    database.execute("UPDATE run_totals SET corrected = %s", (Jsonb({"10": 50, "999": 50}),))
    database.execute(
        "INSERT INTO run_arrivals (run_id, seq, user_class, arrivals, dropped)"
        " VALUES (%(id)s, 1, 'Shopper', 60, 0), (%(id)s, 2, 'Shopper', 60, 30)",
        {"id": RUN_ID},
    )

    run = get(vera, f"/api/v1/runs/{RUN_ID}")
    page = vera.ask("GET", f"/console/runs/{RUN_ID}", headers=PAGE).text

    assert [row["corrected_p95_ms"] for row in run["totals"]] == [999.0, 999.0]
    assert run["arrivals"] == [{"user_class": "Shopper", "arrivals": 120, "dropped": 30}]
    assert "99 % from intended start" in page
    assert "25.00 %" in page


def test_totals_of_a_running_run_grow_with_its_samples(
    database: Connection, vera: Front, master: Master
) -> None:
    master.status = running_status()
    add_run(database, state="running")
    add_sample(database, 1, "/", {"10": 3, "20": 1})
    add_sample(database, 2, "/", {"10": 1})
    first = get(vera, f"/api/v1/runs/{RUN_ID}")["totals"]
    add_sample(database, 3, "/", {"20": 5})
    add_sample(database, 3, "/login", {"900": 2})

    later = get(vera, f"/api/v1/runs/{RUN_ID}")

    assert [(row["name"], row["requests"], row["p50_ms"]) for row in first] == [
        ("/", 5, 10),
        ("Aggregated", 5, 10),
    ]
    assert [(row["name"], row["requests"], row["p50_ms"]) for row in later["totals"]] == [
        ("/", 10, 20),
        ("/login", 2, 900),
        ("Aggregated", 12, 20),
    ]
    assert later["live"]["totals"]["requests"] == 120


def test_samples_summed_twice_are_counted_once(database: Connection, vera: Front) -> None:
    add_run(database, state="running")
    add_sample(database, 1, "/", {"10": 3})

    counts = [get(vera, f"/api/v1/runs/{RUN_ID}")["totals"][-1]["requests"] for _ in range(3)]

    assert counts == [3, 3, 3]


def test_what_the_master_says_of_the_state_counts_before_it_reaches_postgres(
    database: Connection, vera: Front, master: Master
) -> None:
    add_run(database, state="running")
    master.status = running_status()
    master.status["run"]["state"] = "stopped"

    run = get(vera, f"/api/v1/runs/{RUN_ID}")

    assert (run["state"], run["live"]) == ("stopped", None)


def test_runs_are_listed_newest_first_and_page_by_page(database: Connection, vera: Front) -> None:
    for number in range(1, 6):
        add_run(database, f"2026010{number}-000000-0000")

    first = get(vera, "/api/v1/runs?limit=2")["runs"]
    second = get(vera, f"/api/v1/runs?limit=2&before={first[-1]['id']}")["runs"]

    assert [run["id"][:8] for run in first + second] == [
        "20260105",
        "20260104",
        "20260103",
        "20260102",
    ]


def test_a_list_of_runs_says_how_much_each_counted(database: Connection, vera: Front) -> None:
    add_run(database)
    add_totals(database, "/", 100, {"10": 100})
    add_totals(database, "/login", 50, {"10": 50})

    [run] = get(vera, "/api/v1/runs")["runs"]

    assert (run["requests"], run["failures"]) == (150, 2)


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "limit=-1", "before=x"])
def test_a_bad_question_for_runs_is_422(vera: Front, query: str) -> None:
    assert vera.ask("GET", f"/api/v1/runs?{query}").status_code == 422


@pytest.mark.parametrize("run_id", ["20250101-000000-0000", "nonsense", "a.b"])
def test_a_run_that_nobody_knows_is_404(vera: Front, run_id: str) -> None:
    answer = vera.ask("GET", f"/api/v1/runs/{run_id}")
    page = vera.ask("GET", f"/console/runs/{run_id}", headers=PAGE)

    assert (answer.status_code, answer.json["code"]) == (404, "not_found")  # type: ignore[index]
    assert page.status_code == 404


def test_pages_escape_what_testers_wrote(database: Connection, vera: Front) -> None:
    add_run(database)

    pages = [
        vera.ask("GET", path, headers=PAGE).text
        for path in ("/console/runs", f"/console/runs/{RUN_ID}")
    ]

    assert all("evening &lt;b&gt;" in page and "<b>evening" not in page for page in pages)


def test_pages_have_no_inline_script_or_style(
    database: Connection, adam: Front, master: Master
) -> None:
    master.status = running_status()
    add_run(database, state="running")
    paths = [
        "/console/runs",
        f"/console/runs/{RUN_ID}",
        "/console/account",
        "/console/admin",
        "/console/admin/audit",
    ]

    for path in paths:
        page = adam.ask("GET", path, headers=PAGE)
        assert page.status_code == 200
        assert page.headers["Cache-Control"] == "no-store"
        assert "<style" not in page.text
        assert " style=" not in page.text
        assert page.text.count("<script") == page.text.count("<script src=") == 1
        assert " onclick" not in page.text


def test_only_those_who_may_stop_see_the_button(
    database: Connection, vera: Front, olga: Front, master: Master
) -> None:
    master.status = running_status()
    add_run(database, state="running")

    buttons = [
        f'action="/api/v1/runs/{RUN_ID}/stop"'
        in front.ask("GET", f"/console/runs/{RUN_ID}", headers=PAGE).text
        for front in (vera, olga)
    ]

    assert buttons == [False, True]


def test_a_start_goes_to_the_master_in_the_name_of_who_asked(olga: Front, master: Master) -> None:
    answer = olga.ask(
        "POST",
        "/api/v1/runs",
        json={"users": 5, "spawn_rate": 0.5, "run_time": "60s", "name": "n\u00e4chtlich 1%"},
    )

    assert (answer.status_code, answer.json) == (201, {"id": RUN_ID})
    [(path, form, headers)] = master.asked
    assert path == "/swarm"
    assert form == {"user_count": "5", "spawn_rate": "0.5", "run_time": "60s"}
    assert (headers["X-Fleet-User"], headers["X-Fleet-Role"]) == ("olga", "operator")
    assert unquote(headers["X-Fleet-Run-Name"]) == "n\u00e4chtlich 1%"


def test_a_run_brings_its_own_thresholds(olga: Front, master: Master) -> None:
    body = {"users": 1, "spawn_rate": 1, "alerts": {"HighResponseTime": 15}}

    assert olga.ask("POST", "/api/v1/runs", json=body).status_code == 201
    [(_, _, headers)] = master.asked
    assert json.loads(headers["X-Fleet-Run-Alerts"]) == {"HighResponseTime": 15}


@pytest.mark.parametrize(
    ("alerts", "words"),
    [
        ({"Slow": 1}, "There is no alert 'Slow' with a threshold; use HighErrorRate"),
        (
            {"LowThroughput": "many"},
            "The threshold of LowThroughput is 'many'; use a number from 0",
        ),
        ({"LowThroughput": 10**400}, "The threshold of LowThroughput is 1000"),
        ([], "alerts is not an object"),
    ],
)
def test_wrong_thresholds_are_named(olga: Front, alerts: object, words: str) -> None:
    answer = olga.ask("POST", "/api/v1/runs", json={"users": 1, "spawn_rate": 1, "alerts": alerts})

    assert (answer.status_code, answer.get_json()["code"]) == (422, "bad_input")
    assert answer.get_json()["error"].startswith(words)


@pytest.mark.parametrize(
    ("code", "status"),
    [("target_refused", 403), ("run_active", 409), ("no_workers", 503), ("bad_input", 422)],
)
def test_what_the_master_refuses_is_told_with_its_code(
    olga: Front, master: Master, code: str, status: int
) -> None:
    master.start_answer = {"success": False, "code": code, "message": "Because."}

    answer = olga.ask("POST", "/api/v1/runs", json={"users": 1, "spawn_rate": 1})

    assert (answer.status_code, answer.json) == (status, {"error": "Because.", "code": code})


def test_a_second_start_asks_the_master_not_to_change_the_first(
    olga: Front, master: Master
) -> None:
    olga.ask("POST", "/api/v1/runs", json={"users": 1, "spawn_rate": 1})

    [(_, _, headers)] = master.asked
    assert headers["X-Fleet-New-Run"] == "1"


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b"[]", b"\xff", b"[" * 60_000, b'{"users": 1}'),
        *(b'{"users": 1, "users": 1, "spawn_rate": 1}', b'{"users": 1, "spawn_rate": 1e999}'),
        b'{"users": 1, "spawn_rate": 1, "name": "\\ud800"}',
    ],
)
def test_a_start_that_is_no_order_is_422(olga: Front, body: bytes) -> None:
    answer = olga.ask(
        "POST",
        "/api/v1/runs",
        headers={"Content-Type": "application/json"},
        data=body,  # type: ignore[arg-type]
    )

    assert answer.status_code == 422
    assert json.loads(answer.text)["code"] == "bad_input"


def test_stopping_by_api_answers_json(olga: Front, master: Master) -> None:
    master.status = running_status()

    answer = olga.ask("POST", f"/api/v1/runs/{RUN_ID}/stop")

    assert (answer.status_code, answer.json) == (200, {"id": RUN_ID})
    assert [path for path, _, _ in master.asked] == ["/stop"]


def test_only_the_active_run_can_be_stopped(olga: Front, master: Master) -> None:
    master.status = running_status("20260102-030405-ffff")

    answer = olga.ask("POST", f"/api/v1/runs/{RUN_ID}/stop")

    assert answer.status_code == 409
    assert not master.asked


def test_the_present_state_and_the_workers_come_from_the_master(vera: Front) -> None:
    status = idle_status()

    assert get(vera, "/api/v1/run") == status
    assert get(vera, "/api/v1/workers") == {"count": 2, "workers": status["worker_list"]}


def test_reports_are_served_with_a_policy_that_lets_their_own_scripts_run(
    vera: Front, database: Connection, tmp_path: Path
) -> None:
    add_run(database)
    (tmp_path / RUN_ID).mkdir()
    (tmp_path / RUN_ID / "report.html").write_text("<script>1</script>")
    (tmp_path / RUN_ID / "requests.csv").write_text("a,b\n")

    report = vera.ask("GET", f"/console/reports/{RUN_ID}/report.html", headers=PAGE)
    table = vera.ask("GET", f"/console/reports/{RUN_ID}/requests.csv")

    assert "script-src 'self' 'sha256-" in report.headers["Content-Security-Policy"]
    assert report.mimetype == "text/html"
    assert table.headers["Content-Disposition"] == (f"attachment; filename={RUN_ID}-requests.csv")
    assert get(vera, f"/api/v1/runs/{RUN_ID}")["reports"] == ["report.html", "requests.csv"]
    table.close()


@pytest.mark.parametrize("name", ["secret", "failures.csv", "report.html"])
def test_a_report_that_is_not_there_is_404(vera: Front, tmp_path: Path, name: str) -> None:
    (tmp_path / RUN_ID).mkdir()
    (tmp_path / "secret").write_text("x")

    assert vera.ask("GET", f"/console/reports/{RUN_ID}/{name}").status_code == 404
