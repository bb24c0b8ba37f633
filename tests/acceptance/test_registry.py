"""A stack is deployed from a registry that has the official names, as most people deploy it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.checkout import copy_checkout
from tests.support.ports import free_port
from tests.support.registry.engine import Engine, running_engine
from tests.support.registry.images import repository
from tests.support.registry.way import ADDRESS, REGISTRY_PORT
from tests.support.stackfiles import settings

pytestmark = pytest.mark.docker

HERE = "127.0.0.51"
# Official names of what stands in for it; Debian has no Grafana.
OFFICIAL = {
    name: image
    for name, image in settings().items()
    if name.endswith("_IMAGE") and not image.startswith("locust-fleet/") and name != "GRAFANA_IMAGE"
}


def lookalike(variable: str) -> str:
    folder = variable.removesuffix("_IMAGE").lower().replace("_", "-")
    return f"locust-fleet/{folder}:packages"


def offer(engine: Engine, variable: str) -> None:
    """Put what stands in for an official image into the registry, under the official name."""
    path, tag = repository(OFFICIAL[variable])
    there = f"{ADDRESS}:{REGISTRY_PORT}/{path}:{tag}"
    with subprocess.Popen(["docker", "save", lookalike(variable)], stdout=subprocess.PIPE) as saved:
        command = ["docker", "--host", engine.host, "load", "--quiet"]
        subprocess.run(command, stdin=saved.stdout, check=True, capture_output=True)
    engine.docker("tag", lookalike(variable), there)
    engine.docker("push", "--quiet", there)
    engine.docker("image", "rm", there, lookalike(variable))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with running_engine(tmp_path_factory.mktemp("engine"), "bridge") as engine:
        for variable in OFFICIAL:
            offer(engine, variable)
        yield engine


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkout")
    folder.chmod(0o755)
    copy_checkout(folder)
    env = (folder / ".env.example").read_text()
    for name, value in {
        "COMPOSE_PROJECT_NAME": "fleet-registry",
        "BIND_ADDRESS": HERE,
        "HTTP_PORT": str(free_port(HERE)),
        "HTTPS_PORT": str(free_port(HERE)),
    }.items():
        env = env.replace(f"\n{name}={settings()[name]}\n", f"\n{name}={value}\n")
    (folder / ".env").write_text(env)
    return folder


def deploy(checkout: Path, engine: Engine) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["scripts/deploy.sh", "production"],
        cwd=checkout,
        env={**os.environ, "DOCKER_HOST": engine.host},
        capture_output=True,
        text=True,
        check=False,
    )


def test_image_that_is_missing_is_named_until_it_is_there_and_then_all_is_deployed(
    engine: Engine, checkout: Path
) -> None:
    """The story of python:3.13.5-slim-trixie, which never existed and was pulled last."""
    env = checkout / ".env"
    env.write_text(env.read_text().replace("\nIMAGE_SOURCE=auto\n", "\nIMAGE_SOURCE=registry\n"))
    engine.withdraw(OFFICIAL["PYTHON_IMAGE"])

    first, second = deploy(checkout, engine), deploy(checkout, engine)
    offer(engine, "PYTHON_IMAGE")
    third = deploy(checkout, engine)

    for done in (first, second):
        assert done.returncode == 1
        assert f"{OFFICIAL['PYTHON_IMAGE']} is not in the registry" in done.stderr
    assert third.returncode == 0, third.stderr
    running = engine.docker("ps", "--format", "{{.Image}}").splitlines()
    assert set(OFFICIAL.values()) - set(running) == {OFFICIAL["PYTHON_IMAGE"]}
    assert not [image for image in running if image.endswith(":packages")]


def test_deployment_after_it_asks_the_registry_for_grafana_alone(
    engine: Engine, checkout: Path
) -> None:
    engine.heal_way()

    done = deploy(checkout, engine)

    assert done.returncode == 0, done.stderr
    assert "Grafana is left out" in done.stderr
    # By a digest it is asked only whether it answers.
    asked = [path for path in engine.asked().splitlines() if "/manifests/" in path]
    assert [path for path in asked if "grafana" not in path and "/sha256:" not in path] == []
