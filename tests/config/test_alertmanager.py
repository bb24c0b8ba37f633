"""Alertmanager's configuration, read by Alertmanager's own tool."""

from __future__ import annotations

import os
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.checkout import ROOT

from locust_fleet.console.routes.alerts import REPEATED_AFTER

FOLDER = ROOT / "alertmanager"
IMAGE = os.environ.get("ALERTMANAGER_IMAGE", "locust-fleet/alertmanager:packages")


def settings() -> dict[str, Any]:
    return dict(yaml.safe_load((FOLDER / "alertmanager.yml").read_text(encoding="utf-8")))


def amtool(token: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # pytest's own folders are closed to others, and the tool's user is one.
    token.chmod(0o755)
    (token / "alert_token").write_text("a token")
    return subprocess.run(
        [
            *("docker", "run", "--rm", "--network", "none", "--entrypoint", "amtool"),
            *("--volume", f"{FOLDER}:/etc/alertmanager:ro", "--volume", f"{token}:/run/secrets:ro"),
            *(IMAGE, *arguments),
        ],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.docker
def test_alertmanager_accepts_the_configuration(tmp_path: Path) -> None:
    done = amtool(tmp_path, "check-config", "/etc/alertmanager/alertmanager.yml")

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.docker
@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (["alertname=HighErrorRate", "severity=critical"], "critical"),
        (["alertname=LowThroughput", "severity=warning"], "warning"),
        (["alertname=Another"], "other"),
    ],
)
def test_an_alert_takes_the_route_of_its_severity(
    tmp_path: Path, labels: list[str], receiver: str
) -> None:
    file = "--config.file=/etc/alertmanager/alertmanager.yml"
    done = amtool(tmp_path, "config", "routes", "test", file, *labels)

    assert done.stdout.strip() == receiver


def test_critical_is_repeated_sooner_than_warning_and_both_apart() -> None:
    route = settings()["route"]
    repeats = {one["receiver"]: one["repeat_interval"] for one in (route, *route["routes"])}

    assert repeats == {"critical": "30m", "warning": "2h", "other": "1h"}
    # The console takes what comes sooner for what it has been told already.
    minutes = {severity: after / timedelta(minutes=1) for severity, after in REPEATED_AFTER.items()}
    assert minutes == {"critical": 30, "warning": 120, "info": 60}


def test_critical_is_told_within_seconds() -> None:
    # Of the 90 seconds between the end of a worker and the message: about ten until the master
    # misses it, ten until Prometheus has seen it, ten until the alert fires.
    critical = settings()["route"]["routes"][0]

    assert (critical["receiver"], critical["group_wait"]) == ("critical", "5s")


def test_every_receiver_is_the_console_with_the_token() -> None:
    for receiver in settings()["receivers"]:
        [webhook] = receiver["webhook_configs"]
        assert webhook["url"] == "http://console:8000/alerts"
        assert webhook["send_resolved"] is True
        assert webhook["http_config"]["authorization"] == {
            "type": "Bearer",
            "credentials_file": "/run/secrets/alert_token",
        }
