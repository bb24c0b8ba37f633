"""How a pipeline's run is judged and shown."""

from argparse import Namespace
from typing import Any, cast

import pytest

from locust_fleet.cli import run_test
from locust_fleet.cli.api_client import ApiClient
from locust_fleet.cli.run_test import (
    BAD_ARGUMENTS,
    FAILED,
    GOOD,
    INFRASTRUCTURE,
    follow,
    judge,
    main,
    progress,
    table,
    unwritten,
)


def run(requests: int = 100, failures: int = 0, *, state: str = "finished", error: str = "") -> Any:
    row = {
        "method": "",
        "name": "Aggregated",
        "requests": requests,
        "failures": failures,
        "average_ms": 12.34,
        "p50_ms": 10.0,
        "p95_ms": 20.0,
        "p99_ms": None,
        "max_ms": 31,
        "requests_per_second": 5.0,
    }
    return {
        "id": "run",
        "state": state,
        "host": "http://a",
        "totals": [row] if requests else [],
        "failures": [{"error": error}] if failures else [],
        "arrivals": [],
    }


def test_a_wrong_threshold_is_a_bad_argument(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(Namespace(alert=["HighResponseTime=15", "Slow=1"])) == BAD_ARGUMENTS
    assert "--alert: There is no alert 'Slow' with a threshold" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("failures", "limit", "code"),
    [(0, 0.0, GOOD), (1, 0.0, FAILED), (1, 0.01, GOOD), (2, 0.01, FAILED), (100, 1.0, GOOD)],
)
def test_a_run_fails_when_more_requests_failed_than_the_limit_allows(
    failures: int, limit: float, code: int
) -> None:
    assert judge(run(failures=failures, error="wrong content"), limit)[0] == code


@pytest.mark.parametrize("state", ["stopped", "lost"])
def test_a_run_that_ended_before_its_time_is_not_judged(state: str) -> None:
    assert judge(run(state=state), 0.0)[0] == INFRASTRUCTURE


def test_a_run_without_requests_is_not_judged() -> None:
    assert judge(run(requests=0), 0.0)[0] == INFRASTRUCTURE


def test_a_run_that_never_reached_its_target_is_not_judged() -> None:
    outcome = run(failures=100, error="ConnectionRefusedError(111, 'Connection refused')")

    assert judge(outcome, 0.5) == (
        INFRASTRUCTURE,
        "not judged: the target http://a could not be reached",
    )


def test_the_verdict_says_the_figures_and_the_limit() -> None:
    assert judge(run(failures=2), 0.01)[1] == (
        "failed: 2 of 100 requests failed (2.00%; the limit is 1.00%)"
    )


def test_the_table_has_a_line_for_each_endpoint_and_a_dash_for_what_is_unknown() -> None:
    assert table(run()).splitlines()[1:] == [
        "  endpoint    requests  failures  average  p50  p95  p99  max  req/s",
        "  Aggregated       100         0     12.3   10   20    -   31      5",
    ]


@pytest.mark.parametrize(
    ("written", "counted", "missing"),
    [
        (100, 100, None),
        (99, 100, "99 of 100 requests are written"),
        (0, 1, "0 of 1 requests are written"),
        (0, 0, None),
    ],
)
def test_results_are_complete_when_all_that_the_master_counted_is_written(
    written: int, counted: int, missing: str | None
) -> None:
    state = {"run": {"id": "run"}, "totals": {"requests": counted}}

    assert unwritten(run(written), state) == missing


def test_results_do_not_wait_for_the_counts_of_a_later_run() -> None:
    assert unwritten(run(5), {"run": {"id": "later"}, "totals": {"requests": 7}}) is None


def state(users: int, target_users: int, *problems: str) -> Any:
    return {
        "run": {"id": "run", "state": "running", "started_at": "2026-01-01T00:00:00+00:00"},
        "users": users,
        "target_users": target_users,
        "totals": {
            "requests": 10,
            "failures": 1,
            "requests_per_second": 2.5,
            "p95_ms": None,
        },
        "problems": list(problems),
    }


def test_progress_is_one_line() -> None:
    assert progress(state(5, 5), 7.4).split() == (
        ["7", "s", "5", "users", "10", "requests", "2.5/s", "1", "failures", "p95", "-"]
    )


def test_progress_says_how_many_users_there_should_be() -> None:
    assert "  5 of 7 users  " in progress(state(5, 7), 7.4)


def test_each_problem_of_a_run_is_printed_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    full = "2 of 7 users do not run"
    answers = [state(5, 7), state(5, 7, full), state(5, 7, full), {"run": None}]
    monkeypatch.setattr(run_test, "STATUS_INTERVAL_S", 0)

    follow(cast(ApiClient, Namespace(get=lambda _: answers.pop(0))), "run", in_place=False)

    assert capsys.readouterr().err == f"{full}\n"
