"""Read what the files of the stack say: the compose file, .env.example, the lock files."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
COMPOSE_FILE = ROOT / "docker-compose.prod.yml"
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
    """Return each variable of the compose file with the defaults it has there, None for none."""
    found: dict[str, set[str | None]] = {}
    for name, default in REFERENCE.findall(COMPOSE_FILE.read_text(encoding="utf-8")):
        found.setdefault(name, set()).add(default)
    return found


def raw_compose() -> dict[str, Any]:
    """Return the compose file as YAML reads it, with anchors resolved and variables as written."""
    return dict(yaml.safe_load(COMPOSE_FILE.read_text(encoding="utf-8")))


def resolved_compose(folder: Path, **environment: str) -> dict[str, Any]:
    """Return the compose file as Docker Compose understands it, with the values of .env.example.

    The environment wins over those values. The folder stands in for the checkout: what deploy.sh
    makes is made there. Fails with Compose's words when it does not accept the file.
    """
    (folder / ".deploy").mkdir()
    (folder / ".deploy" / "scenario.env").touch()
    inherited = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
    done = subprocess.run(
        [
            *("docker", "compose", "--env-file", str(ENV_EXAMPLE)),
            *("--file", str(COMPOSE_FILE), "--project-directory", str(folder)),
            *("config", "--format", "json"),
        ],
        env=inherited | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))
