"""Every output shows the percentiles of the raw samples, which a scenario writes down."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator

import pytest
import requests

from tests.support.stack import DEMO, Stack
from tests.support.waiting import wait_until

FRACTIONS = (0.5, 0.95, 0.99)
# Half a step of the histogram is below 0.4 %.
RELATIVE_ERROR = 0.01
NAMES = ("log-normal", "two humps", "below a millisecond")
SAMPLER = """
import json
import logging
import random

from locust import User, constant, task

logger = logging.getLogger("sampler")


class Sampler(User):
    wait_time = constant(0.01)

    @task
    def sample(self):
        times_ms = {
            "log-normal": random.lognormvariate(4, 1),
            "two humps": random.gauss(20, 2) if random.random() < 0.8 else random.gauss(900, 60),
            "below a millisecond": random.uniform(0.05, 0.9),
        }
        for name, time_ms in times_ms.items():
            self.environment.events.request.fire(
                request_type="SIM",
                name=name,
                response_time=time_ms,
                response_length=0,
                exception=None,
                context={},
            )
        logger.info("sample %s", json.dumps(times_ms))
"""

# The percentiles of a run by endpoint, in milliseconds, in the order of FRACTIONS.
Percentiles = dict[str, list[float]]


@pytest.fixture(scope="module")
def sampled(deployed: Stack) -> Iterator[tuple[str, Percentiles]]:
    """A finished run of three workers, and the percentiles of its raw samples."""
    deployed.locustfile("sampler.py", SAMPLER)
    done = deployed.script(
        *("run_test.sh", "--locustfile", "sampler.py", "--users", "30", "--spawn-rate", "30"),
        *("--run-time", "8s", "--host", DEMO),
    )
    assert done.returncode == 0, done.stderr
    run_id = done.stdout.strip().rpartition("/")[2]
    samples: dict[str, list[float]] = {name: [] for name in NAMES}
    for line in deployed.compose("logs", "--no-log-prefix", "locust-worker").splitlines():
        if '"sampler"' in line:
            # Compose may put a control sequence of the terminal before a line.
            message = json.loads(line[line.index("{") :])["message"]
            for name, time_ms in json.loads(message.partition(" ")[2]).items():
                samples[name].append(time_ms)
    yield run_id, {name: raw_percentiles(times) for name, times in samples.items()}
    deployed.set_env(LOCUSTFILE="demo_shop.py")
    assert deployed.deploy().returncode == 0


def raw_percentiles(times_ms: list[float]) -> list[float]:
    ordered = sorted(times_ms)
    assert len(ordered) > 1000
    return [ordered[int(len(ordered) * fraction)] for fraction in FRACTIONS]


def of_ui(stack: Stack, session: requests.Session, _: str) -> Percentiles:
    stats = session.get(f"{stack.url}/stats/requests", timeout=30).json()["stats"]
    keys = ["median_response_time", *(f"response_time_percentile_{f}" for f in FRACTIONS[1:])]
    return {row["name"]: [float(row[key]) for key in keys] for row in stats}


def of_report(stack: Stack, session: requests.Session, _: str) -> Percentiles:
    page = session.get(f"{stack.url}/stats/report", timeout=30).text
    begin = page.index("{", page.index("window.templateArgs ="))
    rows = json.JSONDecoder().raw_decode(page, begin)[0]["response_time_statistics"]
    return {row["name"]: [float(row[str(fraction)]) for fraction in FRACTIONS] for row in rows}


def of_csv(stack: Stack, session: requests.Session, _: str) -> Percentiles:
    text = session.get(f"{stack.url}/stats/requests/csv", timeout=30).text
    return {
        row["Name"]: [float(row[f"{fraction * 100:g}%"]) for fraction in FRACTIONS]
        for row in csv.DictReader(io.StringIO(text))
    }


def of_api(stack: Stack, session: requests.Session, run_id: str) -> Percentiles:
    run = session.get(f"{stack.url}/api/v1/runs/{run_id}", timeout=30).json()
    return {
        row["name"]: [row[key] for key in ("p50_ms", "p95_ms", "p99_ms")] for row in run["totals"]
    }


def of_postgres(stack: Stack, _: requests.Session, run_id: str) -> Percentiles:
    columns = ", ".join(
        f"histogram_percentile(histogram_merge(histogram), {fraction})" for fraction in FRACTIONS
    )
    rows = stack.sql(
        f"SELECT name, {columns} FROM run_samples WHERE run_id = '{run_id}' GROUP BY name"
    )
    return {row.split("|")[0]: [float(cell) for cell in row.split("|")[1:]] for row in rows}


def of_prometheus(stack: Stack, session: requests.Session, run_id: str) -> Percentiles:
    query = 'locust_response_time_percentile_seconds{window="run",method="SIM"}'
    answer = session.get(
        f"{stack.url}/prometheus/api/v1/query", params={"query": query}, timeout=30
    ).json()
    found: Percentiles = {name: [0.0] * len(FRACTIONS) for name in NAMES}
    for series in answer["data"]["result"]:
        labels = series["metric"]
        found[labels["name"]][FRACTIONS.index(float(labels["percentile"]))] = (
            float(series["value"][1]) * 1000
        )
    return found


@pytest.mark.parametrize(
    ("output", "digit_ms"),
    [
        pytest.param(of_ui, 0, id="Locust's UI"),
        pytest.param(of_report, 0, id="report"),
        pytest.param(of_csv, 1, id="CSV, which prints whole milliseconds"),
        pytest.param(of_api, 0, id="API"),
        pytest.param(of_postgres, 0, id="Postgres"),
        pytest.param(of_prometheus, 0, id="Prometheus"),
    ],
)
def test_percentiles_are_those_of_the_raw_samples(
    output: Callable[[Stack, requests.Session, str], Percentiles],
    digit_ms: float,
    deployed: Stack,
    admin: requests.Session,
    sampled: tuple[str, Percentiles],
) -> None:
    run_id, raw = sampled

    def shown() -> Percentiles:
        found = output(deployed, admin, run_id)
        return {name: found[name] for name in NAMES}

    # A printed digit is cut off from a number that has its own error.
    expected = {
        name: [pytest.approx(ms, rel=0, abs=digit_ms + RELATIVE_ERROR * ms) for ms in values]
        for name, values in raw.items()
    }
    if output is of_prometheus:
        wait_until(lambda: shown() == expected, "the last scrape of the run")
    assert shown() == expected
