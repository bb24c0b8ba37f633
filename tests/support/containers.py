"""What the engine knows of containers, asked without Compose, which is slow."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Sequence
from typing import Any

from tests.support.engine import docker


def running(project: str, service: str = "") -> list[str]:
    """Return the ids of a project's running containers, or of those of one service."""
    only = ("--filter", f"label=com.docker.compose.service={service}") if service else ()
    return sorted(_list(project, "{{.ID}}", *only))


def health(project: str) -> list[str]:
    """Return what each running container of a project is, and how well it is."""
    form = '{{.Label "com.docker.compose.service"}} {{.State}} {{.Status}}'
    # "Up 5 minutes (healthy)"
    return [
        f"{service} {state} {status.partition('(')[2]}"
        for service, state, status in (line.split(" ", 2) for line in _list(project, form))
    ]


def look_at(*containers: str) -> Any:
    """Return what the engine knows of each."""
    return json.loads(docker("inspect", *containers))


def address_of(container: str) -> str:
    """Return where the host reaches a container; KeyError if nowhere."""
    return addresses_of([container])[container]


def addresses_of(containers: Sequence[str]) -> dict[str, str]:
    """Return where the host reaches containers, without those that are in no network."""
    found = {}
    for container, known in (
        zip(containers, look_at(*containers), strict=True) if containers else ()
    ):
        for network in known["NetworkSettings"]["Networks"].values():
            found[container] = network["IPAddress"]
    return {container: address for container, address in found.items() if address}


def listens(container: str, port: int) -> bool:
    """Whether a container takes connections at a port."""
    try:
        socket.create_connection((address_of(container), port), timeout=1).close()
    except OSError:
        return False
    return True


def log_of(container: str) -> str:
    done = subprocess.run(
        ["docker", "logs", container], capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def _list(project: str, form: str, *more: str) -> list[str]:
    # Without those of `compose run`.
    labels = (f"com.docker.compose.project={project}", "com.docker.compose.oneoff=False")
    filters = [word for label in labels for word in ("--filter", f"label={label}")]
    return docker("ps", "--no-trunc", *filters, *more, "--format", form).splitlines()
