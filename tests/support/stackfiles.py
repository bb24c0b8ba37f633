"""Read what the files of the stack say: the compose file, .env.example, the lock files."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.support.checkout import ROOT

COMPOSE_FILE = ROOT / "docker-compose.prod.yml"
MONITORING_FILE = ROOT / "docker-compose.monitoring.yml"
ENV_EXAMPLE = ROOT / ".env.example"

MARK = "# --- written by deploy.sh, do not edit below ---"
# ${NAME} and ${NAME:-default}; $$ is a dollar for the container.
REFERENCE = re.compile(r"(?<!\$)\$\{([A-Z0-9_]+)(?::-([^}]*))?\}")


def settings() -> dict[str, str]:
    """Return the settings of .env.example with their defaults."""
    lines = ENV_EXAMPLE.read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def references() -> dict[str, set[str | None]]:
    """Return each variable of the compose files with the defaults it has there, None for none."""
    found: dict[str, set[str | None]] = {}
    for file in (COMPOSE_FILE, MONITORING_FILE):
        for name, default in REFERENCE.findall(file.read_text(encoding="utf-8")):
            found.setdefault(name, set()).add(default)
    return found


def raw_compose() -> dict[str, Any]:
    """Return both compose files as YAML reads them, anchors resolved and variables as written."""
    files = [
        yaml.safe_load(file.read_text(encoding="utf-8")) for file in (COMPOSE_FILE, MONITORING_FILE)
    ]
    parts = ("services", "secrets", "volumes", "networks")
    return {part: {**files[0][part], **files[1][part]} for part in parts}


def resolved_compose(folder: Path, **environment: str) -> dict[str, Any]:
    """Return the compose files as Docker Compose understands them, with the values of .env.example.

    The environment wins over those values. The folder stands in for the checkout: what deploy.sh
    makes is made there. Fails with Compose's words when it does not accept the file.
    """
    (folder / ".deploy").mkdir()
    (folder / ".deploy" / "scenario.env").touch()
    inherited = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
    # Only deploy.sh says it.
    inherited["VERSION"] = "v1"
    done = subprocess.run(
        [
            *("docker", "compose", "--env-file", str(ENV_EXAMPLE)),
            *("--file", str(COMPOSE_FILE), "--file", str(MONITORING_FILE)),
            *("--project-directory", str(folder)),
            *("config", "--format", "json"),
        ],
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))
