"""Docker Compose by itself, in a checkout that was never deployed, names what deploys it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.support.checkout import ROOT

COPIED = ("compose.yaml", "docker-compose.prod.yml", "docker-compose.monitoring.yml")


@pytest.mark.docker
@pytest.mark.parametrize("settings", [None, ".env.example"])
@pytest.mark.parametrize(
    "command",
    [
        "config",
        "up --detach --scale locust-worker=3",
        "--file docker-compose.prod.yml config",
        "--file docker-compose.prod.yml --file docker-compose.monitoring.yml up --detach",
    ],
)
def test_a_checkout_that_was_never_deployed_names_the_script(
    tmp_path: Path, settings: str | None, command: str
) -> None:
    for name in COPIED:
        shutil.copy(ROOT / name, tmp_path)
    if settings:
        shutil.copy(ROOT / settings, tmp_path / ".env")
    inherited = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}

    done = subprocess.run(
        ["docker", "compose", *command.split()],
        cwd=tmp_path,
        env=inherited,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert "nothing is deployed from here; ./scripts/deploy.sh production does it" in done.stderr
