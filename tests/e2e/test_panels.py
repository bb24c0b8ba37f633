"""Under load every question of every dashboard has an answer, from Prometheus and Postgres."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from tests.support.panels import Query, View, dashboards, promql, queries, sql
from tests.support.stack import DEMO, Stack
from tests.support.waiting import wait_until

# Rates of what is scraped every 15 s need two looks, and Prometheus takes one more to know.
ANSWERED_S = 120
HOUR = timedelta(hours=1)
# As grafana/compare.py draws both runs.
CLOCK = datetime(2000, 1, 1, tzinfo=UTC)
# The demo shop has no open model; tests/integration/monitoring/test_dashboards.py shows one.
EMPTY = {"Arrivals"}


def ask_prometheus(stack: Stack, session: requests.Session, query: Query, view: View) -> Any:
    """Return the series that Prometheus has for a query; it comes through the front."""
    path, asked = "query", {"query": promql(query, view), "time": str(view.end.timestamp())}
    if not query.instant:
        path, step = "query_range", str(max(view.step_s, query.scrape_s))
        asked |= {"start": str(view.begin.timestamp()), "end": asked.pop("time"), "step": step}
    answer = session.get(f"{stack.url}/prometheus/api/v1/{path}", params=asked, timeout=30)
    # The front lets through what people need, not all questions at once: this one is asked again.
    if answer.status_code == 429:
        return []
    assert answer.status_code == 200, f"{query}: {answer.text}"
    series = answer.json()["data"]["result"]
    # One that is nothing but NaN draws nothing.
    return [one for one in series if any(value != "NaN" for value in _values(one))]


def ask_postgres(stack: Stack, query: Query, view: View) -> list[str]:
    """Return the rows that Postgres has for a query, asked as Grafana would: with its role."""
    password = (stack.folder / "secrets" / "reader_password").read_text().strip()
    login = ("-h", "postgres", "-p", stack.env("POSTGRES_PORT"), "-U", "fleet_reader")
    psql = ("psql", *login, "-d", stack.env("POSTGRES_DB"), "-At", "-v", "ON_ERROR_STOP=1")
    environment = ("--env", f"PGPASSWORD={password}")
    return stack.compose(
        "exec", "-T", *environment, "postgres", *psql, stdin=sql(query, view)
    ).splitlines()


def label_values(
    stack: Stack, session: requests.Session, metric: str, label: str, begin: datetime
) -> list[str]:
    """Return the values that Grafana would offer for a variable."""
    asked = {"match[]": metric, "start": str(begin.timestamp())}
    url = f"{stack.url}/prometheus/api/v1/label/{label}/values"
    answer = session.get(url, params=asked, timeout=30)
    return [str(value) for value in answer.json()["data"]] if answer.ok else []


def test_every_panel_has_data_under_load(
    stack: Stack, operator: requests.Session, admin: requests.Session
) -> None:
    begin = datetime.now(UTC)
    first = stack.start(operator, users=10, host=DEMO)
    stack.wait_for_requests(operator, 50)
    stack.stop(operator, first)
    second = stack.start(operator, users=30, host=DEMO)
    stack.wait_for_requests(operator, 100)
    # A worker leaves and requests fail, so that there are events and errors to show.
    stack.scale(2)
    stack.wait_for_workers(operator, 2)
    stack.compose("restart", "demo-target")
    chosen = {"run": second, "before": first, "after": second}
    several: dict[str, list[str]] = {}
    missing = [
        query for board in dashboards() for query in queries(board) if query.panel not in EMPTY
    ]

    def found(query: Query) -> bool:
        if query.source == "prometheus":
            view = View(begin, datetime.now(UTC), chosen, several)
            return bool(ask_prometheus(stack, admin, query, view))
        start = CLOCK if query.dashboard == "Compare" else begin
        return bool(ask_postgres(stack, query, View(start, start + HOUR, chosen, several)))

    def all_found() -> bool:
        several["endpoint"] = label_values(stack, admin, "locust_requests_total", "name", begin)
        several["worker"] = label_values(stack, admin, "locust_worker_info", "worker", begin)
        if not all(several.values()):
            return False
        missing[:] = [query for query in missing if not found(query)]
        return not missing

    try:
        wait_until(all_found, "an answer to every question", ANSWERED_S)
    except AssertionError as error:
        questions = "\n".join(map(str, missing))
        raise AssertionError(f"{error}; without one:\n{questions}") from None
    stack.stop(operator, second)


def _values(series: dict[str, Any]) -> list[str]:
    return [value for _, value in series.get("values") or [series["value"]]]
