"""The compose files keep what the stack promises about every service."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.support.stackfiles import (
    COMPOSE_FILE,
    MONITORING_FILE,
    raw_compose,
    resolved_compose,
    settings,
)

ONE_SHOT = {"migrate"}
# Its official image holds nothing to ask with.
NOT_ASKED = {"nginx-exporter"}
SERVICES: dict[str, dict[str, Any]] = raw_compose()["services"]
LONG_RUNNING = sorted(set(SERVICES) - ONE_SHOT)
BOTH = pytest.mark.parametrize("name", sorted(SERVICES))
EACH_LONG_RUNNING = pytest.mark.parametrize("name", LONG_RUNNING)
THIRD_PARTY = {name: image for name, image in settings().items() if name.endswith("_IMAGE")}


@pytest.mark.docker
def test_compose_accepts_the_file(tmp_path: Path) -> None:
    services = resolved_compose(tmp_path, COMPOSE_PROFILES="postgres,redis,grafana")["services"]

    assert set(services) == set(SERVICES)


@pytest.mark.docker
def test_stores_elsewhere_leave_out_the_bundled_ones(tmp_path: Path) -> None:
    services = resolved_compose(tmp_path, COMPOSE_PROFILES="")["services"]

    assert set(SERVICES) - set(services) == {"grafana", "postgres", "redis"}


def test_only_nginx_publishes_ports() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["nginx"]


def test_no_service_has_a_fixed_container_name() -> None:
    assert not [name for name, service in SERVICES.items() if "container_name" in service]


@EACH_LONG_RUNNING
def test_long_running_service_is_asked_whether_it_is_well(name: str) -> None:
    asked = "healthcheck" in SERVICES[name]

    assert asked is (name not in NOT_ASKED)
    assert not asked or SERVICES[name]["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")


@EACH_LONG_RUNNING
def test_long_running_service_comes_back_unless_stopped(name: str) -> None:
    assert SERVICES[name]["restart"] == "unless-stopped"


@EACH_LONG_RUNNING
def test_long_running_service_has_time_for_a_clean_end(name: str) -> None:
    assert SERVICES[name]["stop_grace_period"]


@BOTH
def test_service_has_no_capability_and_gets_none(name: str) -> None:
    service = SERVICES[name]

    assert (service["cap_drop"], service["security_opt"], service.get("cap_add")) == (
        ["ALL"],
        ["no-new-privileges:true"],
        None,
    )


@BOTH
def test_service_cannot_write_to_its_image(name: str) -> None:
    assert SERVICES[name]["read_only"] is True


@BOTH
def test_service_is_limited(name: str) -> None:
    assert set(SERVICES[name]["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}


@BOTH
def test_log_of_a_service_is_rotated(name: str) -> None:
    assert set(SERVICES[name]["logging"]["options"]) == {"max-size", "max-file"}


@BOTH
def test_service_runs_below_an_init_with_the_files_it_may_open(name: str) -> None:
    nofile = SERVICES[name]["ulimits"]["nofile"]

    assert SERVICES[name]["init"] is True
    assert nofile["soft"] == nofile["hard"] == "${NOFILE:-65536}"


@BOTH
def test_every_dependency_has_a_condition(name: str) -> None:
    dependencies = SERVICES[name].get("depends_on", {})

    assert isinstance(dependencies, dict)
    assert all("condition" in dependency for dependency in dependencies.values())


@BOTH
def test_configuration_is_mounted_read_only(name: str) -> None:
    binds = [mount for mount in SERVICES[name].get("volumes", []) if mount.startswith("./")]

    assert all(mount.endswith(":ro,z") for mount in binds)


@BOTH
def test_no_secret_is_in_the_environment(name: str) -> None:
    environment = SERVICES[name].get("environment", {})

    assert not [key for key in environment if key.endswith(("PASSWORD", "SECRET", "KEY", "AUTH"))]


@BOTH
def test_secret_that_a_setting_points_to_is_given(name: str) -> None:
    service = SERVICES[name]
    pointed_to = {
        value.removeprefix("/run/secrets/")
        for value in service.get("environment", {}).values()
        if value.startswith("/run/secrets/")
    }

    assert pointed_to <= set(service.get("secrets", []))


@pytest.mark.parametrize("network", ["data", "monitoring", "dashboards"])
def test_network_has_no_way_out(network: str) -> None:
    assert raw_compose()["networks"][network]["internal"] is True


@pytest.mark.parametrize("what", ["x-service", "x-no-proxy"])
def test_both_files_mean_the_same_by(what: str) -> None:
    first, second = (
        yaml.safe_load(file.read_text(encoding="utf-8"))[what]
        for file in (COMPOSE_FILE, MONITORING_FILE)
    )

    assert first == second


@pytest.mark.docker
def test_a_proxy_of_the_docker_client_reaches_no_container(tmp_path: Path) -> None:
    proxy = "http://proxy.example:3128"
    kinds = ("httpProxy", "httpsProxy", "ftpProxy", "allProxy", "noProxy")
    proxies = {"default": dict.fromkeys(kinds, proxy)}
    (tmp_path / "config.json").write_text(json.dumps({"proxies": proxies}))
    environments = [service.get("environment", {}) for service in SERVICES.values()]
    # Of any service, what all have.
    common = set.intersection(*(set(environment.items()) for environment in environments))
    image = os.environ.get("PYTHON_IMAGE", "locust-fleet/python:packages")
    service = {"image": image, "network_mode": "none", "environment": dict(common)}
    (tmp_path / "compose.yaml").write_text(yaml.safe_dump({"services": {"service": service}}))

    project = f"fleet-proxy-{os.getpid()}"
    run = ("run", "--rm", "-T", "service", "env")
    done = subprocess.run(
        ["docker", "compose", "--project-name", project, *run],
        cwd=tmp_path,
        env={**os.environ, "DOCKER_CONFIG": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "HTTP_PROXY=\n" in done.stdout
    assert proxy not in done.stdout


@pytest.mark.parametrize("name", ["redis", "postgres"])
def test_store_is_on_networks_without_a_way_out_alone(name: str) -> None:
    assert all(raw_compose()["networks"][network]["internal"] for network in networks_of(name))


@pytest.mark.parametrize("name", ["locust-master", "locust-worker"])
def test_who_runs_locustfiles_does_not_reach_grafana_which_believes_everybody(name: str) -> None:
    assert not networks_of(name) & networks_of("grafana")


def networks_of(name: str) -> set[str]:
    return set(SERVICES[name]["networks"])


def test_workers_stop_before_the_master_they_report_to() -> None:
    assert "locust-master" in SERVICES["locust-worker"]["depends_on"]


@pytest.mark.parametrize("name", ["nginx", "console", "locust-master"])
def test_who_shows_and_stops_a_run_has_more_weight_than_who_makes_load(name: str) -> None:
    assert SERVICES[name]["cpu_shares"] > SERVICES["locust-worker"]["cpu_shares"]


@pytest.mark.parametrize("name", sorted(THIRD_PARTY))
def test_image_has_an_exact_tag(name: str) -> None:
    _, _, tag = THIRD_PARTY[name].rpartition(":")

    assert "." in tag or THIRD_PARTY[name].startswith("locust-fleet/")


def test_workers_have_the_password_of_their_own_user_of_redis_and_no_other() -> None:
    assert set(SERVICES["locust-worker"]["secrets"]) == {"redis_worker_password", "target_ca.pem"}


def test_redis_and_its_workers_are_told_the_same_user() -> None:
    users = {
        name: service["environment"]["REDIS_WORKER_USER"]
        for name, service in SERVICES.items()
        if "REDIS_WORKER_USER" in service.get("environment", {})
    }

    assert users == dict.fromkeys(("redis", "locust-worker"), "${REDIS_WORKER_USER:-}")
