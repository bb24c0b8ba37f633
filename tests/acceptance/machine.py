"""A new machine: a container with an empty Debian, which may get an engine of its own."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.checkout import copy_checkout
from tests.support.engine import docker

# Made by empty_debian.sh.
IMAGE = "locust-fleet/empty-debian:bookworm"
CHECKOUT = "/root/locust-fleet"
TIMEOUT_S = 90 * 60


class Machine:
    """Runs commands as root on the machine, in a clone of this checkout."""

    def __init__(self, container: str) -> None:
        self.container = container

    def clone(self, folder: Path) -> None:
        """Put there what a clone of the checkout would hold; the folder is for what that takes."""
        copy_checkout(folder)
        docker("cp", f"{folder}/.", f"{self.container}:{CHECKOUT}")

    def start_engine(self, settings: Mapping[str, object] | None = None) -> None:
        """Install and start an engine as deploy.sh does, with these settings of the daemon."""
        text = shlex.quote(json.dumps(settings or {}))
        self.run(f"mkdir --parents /etc/docker; echo {text} >/etc/docker/daemon.json")
        libraries = "source scripts/lib/common.sh; source scripts/lib/engine.sh"
        self.run(f"{libraries}; source scripts/lib/images.sh; ensure_engine install")

    def give(self, *images: str) -> None:
        """Copy images of this machine's engine to the engine of the new one."""
        with subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as saved:
            load = ["docker", "exec", "--interactive", self.container, "docker", "load"]
            subprocess.run(load, stdin=saved.stdout, check=True, capture_output=True)
        assert saved.returncode == 0

    def run(self, command: str, *, timeout_s: int = TIMEOUT_S, **env: str) -> str:
        """Run a command to its end, without input, and show what it says; returns that."""
        said, code = self.attempt(command, timeout_s=timeout_s, **env)
        assert code != 124, f"{command} did not end within {timeout_s} s"
        assert code == 0, f"{command} ended with code {code}\n{said[-4000:]}"
        return said

    def attempt(self, command: str, *, timeout_s: int = TIMEOUT_S, **env: str) -> tuple[str, int]:
        """Run a command that may fail; returns what it said and its exit code."""
        settings = [word for name, value in env.items() for word in ("--env", f"{name}={value}")]
        bounded = ("timeout", "--kill-after=60", str(timeout_s), "bash", "-c", command)
        with subprocess.Popen(
            ["docker", "exec", "--workdir", CHECKOUT, *settings, self.container, *bounded],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            assert process.stdout
            lines = []
            for line in process.stdout:
                print(line, end="", flush=True)
                lines.append(line)
        return "".join(lines), process.returncode


@contextmanager
def new_machine() -> Iterator[Machine]:
    """Yield a machine with an empty Debian; nothing of it is left."""
    container = docker(
        *("run", "--detach", "--init", "--privileged", "--hostname", "new-machine"),
        # An overlay on an overlay does not work; a browser wants more than 64 MB of shared memory.
        *("--volume", "/var/lib/docker", "--shm-size", "1g", "--workdir", CHECKOUT),
        *(IMAGE, "sleep", "infinity"),
    )
    try:
        yield Machine(container)
    finally:
        docker("rm", "--force", "--volumes", container)
