from typing import Any

import pytest

from locust_fleet.console.routes.api import read_start
from locust_fleet.console.routes.common import next_path
from locust_fleet.console.runs.master_client import StartRequest
from locust_fleet.console.runs.reader import RunReader, Totals, add_up, shape_status, shape_totals
from locust_fleet.errors import BadInput

HOME = Totals("GET", "/", 3, 1, 60.0, 10.0, 30.0, {"10": 1, "20": 1, "30": 1})
LOGIN = Totals("POST", "/login", 1, 0, 1000.0, 1000.0, 1000.0, {"1000": 1})


def test_totals_have_a_row_per_endpoint_and_the_sum_last() -> None:
    rows = shape_totals([LOGIN, HOME], duration_s=2.0)

    assert [(row["method"], row["name"], row["requests"]) for row in rows] == [
        ("GET", "/", 3),
        ("POST", "/login", 1),
        ("", "Aggregated", 4),
    ]


def test_percentiles_of_the_sum_come_from_all_requests_not_from_other_percentiles() -> None:
    total = shape_totals([HOME, LOGIN], duration_s=2.0)[-1]

    assert {key: total[key] for key in ("p50_ms", "p95_ms", "p99_ms", "min_ms", "max_ms")} == {
        "p50_ms": 30.0,
        "p95_ms": 1000.0,
        "p99_ms": 1000.0,
        "min_ms": 10.0,
        "max_ms": 1000.0,
    }
    assert (total["average_ms"], total["requests_per_second"]) == (265.0, 2.0)


def test_percentiles_from_the_intended_start_are_there_in_an_open_model() -> None:
    late = Totals("GET", "/late", 2, 0, 40.0, 20.0, 20.0, {"20": 2}, {"20.0": 1, "520.0": 1})

    rows = shape_totals([HOME, late], duration_s=2.0)

    assert [row["corrected_p95_ms"] for row in rows] == [None, 520.0, 520.0]
    assert rows[1]["p95_ms"] == 20.0


def test_a_run_without_requests_has_no_totals() -> None:
    assert shape_totals([], duration_s=5.0) == []


def test_a_run_that_took_no_time_has_no_rate() -> None:
    assert shape_totals([HOME], duration_s=0.0)[0]["requests_per_second"] is None


def test_failed_requests_without_times_do_not_break_the_sum() -> None:
    untimed = Totals("GET", "/", 2, 2, 0.0, None, None, {})

    assert add_up([untimed, untimed], "GET", "/").to_json(1.0)["p95_ms"] is None
    assert add_up([untimed, HOME], "GET", "/").min_ms == 10.0


def test_the_masters_run_looks_like_a_stored_one() -> None:
    status = {
        "run": {
            **dict.fromkeys(("id", "name", "started_by", "locustfile", "host"), "x"),
            **dict.fromkeys(("users", "spawn_rate", "run_time_s"), 1),
            "started_at": "2026-01-02T00:00:00+00:00",
            "ends_at": None,
            "state": "running",
        },
        "totals": {
            "requests": 5,
            "failures": 1,
            "requests_per_second": 2.5,
            "p50_ms": 10.0,
            "p95_ms": 20.0,
        },
    }

    run = shape_status(status)

    assert run["totals"][0].keys() == HOME.to_json(1.0).keys()
    assert (run["state"], run["planned_end_at"], run["events"]) == ("running", None, [])


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "x",
        {},
        {"users": 5},
        {"users": 0, "spawn_rate": 1},
        {"users": 1.5, "spawn_rate": 1},
        {"users": "5", "spawn_rate": 1},
        {"users": True, "spawn_rate": 1},
        {"users": 10**9, "spawn_rate": 1},
        {"users": 5, "spawn_rate": 0},
        {"users": 5, "spawn_rate": -1},
        {"users": 5, "spawn_rate": "1"},
        {"users": 5, "spawn_rate": True},
        {"users": 5, "spawn_rate": float("nan")},
        {"users": 5, "spawn_rate": float("inf")},
        {"users": 5, "spawn_rate": 1, "run_time": ""},
        {"users": 5, "spawn_rate": 1, "run_time": 60},
        {"users": 5, "spawn_rate": 1, "run_time": "soon"},
        {"users": 5, "spawn_rate": 1, "run_time": "1m1h"},
        {"users": 5, "spawn_rate": 1, "host": 5},
        {"users": 5, "spawn_rate": 1, "host": "http://x\r\ny"},
        {"users": 5, "spawn_rate": 1, "name": "x" * 201},
        {"users": 5, "spawn_rate": 1, "name": "a\nb"},
        {"users": 5, "spawn_rate": 1, "runtime": "60s"},
    ],
)
def test_a_start_that_is_not_clear_is_refused_with_the_name_of_the_field(body: Any) -> None:
    with pytest.raises(BadInput, match=r"Send a JSON object|users|spawn_rate|run_time|host|name"):
        read_start(body)


def test_a_run_time_reaches_the_master_in_seconds() -> None:
    assert read_start({"users": 5, "spawn_rate": 0.5, "run_time": "1h30m5s"}) == StartRequest(
        5, 0.5, "5405s"
    )


def test_a_start_becomes_locusts_form_with_the_given_fields_alone() -> None:
    assert StartRequest(5, 0.5, host="http://shop", name="x").form() == {
        "user_count": "5",
        "spawn_rate": "0.5",
        "host": "http://shop",
    }


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("", "/"),
        ("/", "/"),
        ("/console/runs/20260102-030405-abcd", "/console/runs/20260102-030405-abcd"),
        ("/console/runs?before=x&y=%20", "/console/runs?before=x&y=%20"),
        ("/console/admin/accounts", "/console/admin/accounts"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("\\\\evil.example", "/"),
        ("https://evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("/%2f/evil.example", "/"),
        ("/%0d%0aSet-Cookie:x", "/"),
        ("/console/runs?x\r\nSet-Cookie: y", "/console/runs"),
        ("/stop", "/"),
        ("/console/sign-in?next=/", "/"),
        ("/console/sign-out", "/"),
        ("/nothing", "/"),
        ("/?" + "x" * 2000, "/"),
    ],
)
def test_a_sign_in_leads_to_a_page_of_this_stack_alone(text: str, path: str) -> None:
    assert next_path(text) == path


@pytest.mark.parametrize(
    ("run_id", "name"),
    [
        ("20260102-030405-abcd", "../secret"),
        ("..", "report.html"),
        ("20260102-030405-abcd", "other.txt"),
        ("20260102-030405-abcd", "requests.csv"),
        ("20260102-030405-abcd", "failures.csv"),
        ("20260102-030405-abcd.partial", "report.html"),
        ("20260102-030405-abcd\n", "report.html"),
    ],
)
def test_only_known_reports_of_runs_are_found(tmp_path: Any, run_id: str, name: str) -> None:
    folder = tmp_path / "reports" / "20260102-030405-abcd"
    folder.mkdir(parents=True)
    (tmp_path / "secret").write_text("x")
    (tmp_path / "reports" / "report.html").write_text("x")
    (folder / "other.txt").write_text("x")
    (folder / "report.html").write_text("x")
    (folder / "requests.csv").symlink_to(tmp_path / "secret")
    reader = RunReader(tmp_path / "reports")

    assert reader.report(run_id, name) is None
    assert reader.reports("20260102-030405-abcd") == ["report.html"]
