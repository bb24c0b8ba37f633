"""Every alert says what to do, and promtool has seen it quiet, firing and quiet again."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.checkout import ROOT

RULES = sorted((ROOT / "prometheus/rules").glob("*.yml"))
TESTS = sorted((ROOT / "tests/alerts").glob("*.test.yml"))
IMAGE = os.environ.get("PROMETHEUS_IMAGE", "locust-fleet/prometheus:packages")
OF_THE_ISSUE = {
    *("LocustMasterDown", "LocustWorkerDown", "LocustWorkerDisconnected"),
    *("HighErrorRate", "HighResponseTime", "LowThroughput"),
    *("SystemResourceHigh", "LocustHighMemoryUsage"),
    *(
        "NotificationsFailing",
        "RecorderBehind",
        "ResultsRejected",
        "CertificateExpiresSoon",
        "StoreDown",
    ),
    "DiskFilling",
}


def read(file: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(file.read_text(encoding="utf-8")))


ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule
    for file in RULES
    for group in read(file)["groups"]
    for rule in group["rules"]
    if "alert" in rule
}
CASES: dict[str, dict[str, Any]] = {case["name"]: case for f in TESTS for case in read(f)["tests"]}
EACH = pytest.mark.parametrize("name", sorted(ALERTS))


def promtool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *("docker", "run", "--rm", "--network", "none", "--volume", f"{ROOT}:/fleet:ro"),
            # A clone may be closed to others, and these files are no part of a deployment.
            *("--user", "0"),
            *("--workdir", "/fleet/tests/alerts", "--entrypoint", "promtool", IMAGE, *arguments),
        ],
        capture_output=True,
        text=True,
        check=False,
    )


def looks(case: dict[str, Any], alert: str) -> list[bool]:
    """Return whether the alert fires at each look of a case, in the order of time."""
    assert {look["alertname"] for look in case["alert_rule_test"]} == {alert}
    return [bool(look.get("exp_alerts")) for look in case["alert_rule_test"]]


@pytest.mark.docker
@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.name)
def test_the_rules_behave_as_their_tests_say(file: Path) -> None:
    done = promtool("test", "rules", file.name)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.docker
def test_prometheus_accepts_its_configuration() -> None:
    done = promtool("check", "config", "/fleet/prometheus/prometheus.yml")

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(RULES)} rule files found" in done.stdout


def test_the_alerts_that_were_asked_for_are_there() -> None:
    assert set(ALERTS) >= OF_THE_ISSUE


@EACH
def test_alert_is_labelled_for_its_route_and_its_part(name: str) -> None:
    labels = ALERTS[name]["labels"]

    assert set(labels) == {"severity", "part"}
    assert labels["severity"] in ("critical", "warning")


@EACH
def test_alert_says_what_happened_and_where_to_read_on(name: str) -> None:
    annotations = ALERTS[name]["annotations"]

    assert set(annotations) - {"value"} == {"summary", "description", "runbook"}
    assert annotations["runbook"] == f"docs/runbooks/{name}.md"
    assert "{{" not in annotations["summary"]


@EACH
def test_runbook_tells_meaning_look_and_remedy(name: str) -> None:
    page = (ROOT / ALERTS[name]["annotations"]["runbook"]).read_text(encoding="utf-8")

    assert page.startswith(f"# {name}\n")
    assert re.findall("(?m)^## (.+)$", page) == ["What it means", "How to see it", "What to do"]


def test_every_runbook_belongs_to_an_alert() -> None:
    assert {page.stem for page in (ROOT / "docs/runbooks").glob("*.md")} == set(ALERTS)


@EACH
def test_alert_was_seen_quiet_then_firing_then_quiet_again(name: str) -> None:
    case = CASES[f"{name}: quiet, firing, quiet again"]

    assert looks(case, name) == [False, True, False]


@EACH
def test_alert_was_seen_quiet_while_no_test_runs(name: str) -> None:
    case = CASES[f"{name}: quiet while no test runs"]

    assert not any(looks(case, name))
    assert any("locust_test_running" in series["series"] for series in case["input_series"])


@EACH
def test_an_alert_about_a_number_hands_it_on(name: str) -> None:
    notes = ALERTS[name]["annotations"]

    assert ("$value" in notes["description"]) == ("$value" in notes.get("value", ""))
