"""A copy of the checkout in which scripts run, with a `docker` that only notes what it is asked."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.support.checkout import ROOT
from tests.support.ports import free_port

ADDRESS = "127.0.0.51"
PROJECT = "fake"
COPIED = (
    *("alertmanager", "conf", "grafana", "locustfiles", "nginx", "postgres", "postgres-exporter"),
    *("prometheus", "redis", "redis-exporter", "scripts"),
    *(".env.example", "compose.yaml", "docker-compose.prod.yml", "docker-compose.monitoring.yml"),
)
LIBRARIES = "; ".join(
    f"source scripts/lib/{name}.sh"
    for name in (
        *("common", "env", "settings", "machine", "folder", "engine", "secrets"),
        *(
            "certificate",
            "locustfile",
            "stack",
            "mounted",
            "keep",
            "candidate",
            "release",
            "handover",
            "tuning",
        ),
    )
)


class Checkout:
    """A clone on a machine whose Docker engine is a fake."""

    def __init__(self, folder: Path, clone: Path, docker: Path | None = None) -> None:
        """Copy a clone into a folder, and what the fake engine noted of it, if it was deployed."""
        self.folder = Path(shutil.copytree(clone, folder / "clone"))
        self.docker = folder / "docker"
        self.bin = folder / "bin"
        self.bin.mkdir()
        if docker is None:
            self.docker.mkdir()
        else:
            shutil.copytree(docker, self.docker)
        fake = shutil.copyfile(
            Path(__file__).parent / "fake_docker.sh", self.bin / "fake_docker.sh"
        )
        fake.chmod(0o644)
        self.program("docker", f'exec bash {fake} "$@"')
        # Slow, and nothing is asked of it here.
        self.program("pip", "exit 1")

    def program(self, name: str, script: str) -> None:
        """Put a program on PATH, in front of all others."""
        file = self.bin / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)

    def fake(self, name: str, text: str = "") -> None:
        """Tell the fake engine how to answer."""
        (self.docker / name).write_text(text)

    def hide(self) -> None:
        """Take away from everybody else what a clone under umask 077 would not give them."""
        for path in (self.folder, *self.folder.rglob("*")):
            path.chmod(path.stat().st_mode & ~0o077)

    def calls(self) -> list[str]:
        """What the engine was asked."""
        file = self.docker / "calls"
        return file.read_text().splitlines() if file.exists() else []

    def configure(self, **settings: str) -> None:
        """Write .env, with an address and ports that are free unless said otherwise."""
        free = {"HTTP_PORT": free_port(ADDRESS), "HTTPS_PORT": free_port(ADDRESS)}
        values = {"COMPOSE_PROJECT_NAME": PROJECT, "BIND_ADDRESS": ADDRESS, **free, **settings}
        lines = (self.folder / ".env.example").read_text().splitlines()
        for number, line in enumerate(lines):
            name = line.partition("=")[0]
            if name in values:
                lines[number] = f"{name}={values.pop(name)}"
        lines[:0] = [f"{name}={value}" for name, value in values.items()]
        (self.folder / ".env").write_text("\n".join(lines) + "\n")

    def setting(self, name: str) -> str:
        lines = (self.folder / ".env").read_text().splitlines()
        return next(line.partition("=")[2] for line in lines if line.startswith(f"{name}="))

    def env(self) -> Mapping[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("COMPOSE")}
        return {
            **kept,
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "FAKE_DOCKER": str(self.docker),
            "FAKE_PROJECT": PROJECT,
        }

    def run(self, name: str, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a script to its end."""
        return self._run(str(self.folder / "scripts" / name), *arguments, **env)

    def deploy(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run("deploy.sh", "production", *arguments)

    def call(self, function: str, *arguments: object, stdin: str = "") -> str:
        """Call one function of the libraries; returns what it prints on stdout."""
        script = f'set -Eeuo pipefail; shopt -s inherit_errexit; {LIBRARIES}; "$@"'
        words = [str(argument) for argument in arguments]
        done = self._run("bash", "-c", script, "bash", function, *words, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout.rstrip("\n")

    def as_somebody(
        self, *command: str, others: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run a script as the owner of all but what another user keeps for himself; takes root."""
        for folder in (self.folder, self.docker):
            for path in (folder, *folder.rglob("*")):
                os.chown(path, 65534, 65534, follow_symlinks=False)
        for name in others:
            os.chown(self.folder / name, 65533, 65533)
            (self.folder / name).chmod(0o600)
        self.bin.chmod(0o755)
        return self._run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command)

    def state(self) -> dict[str, bytes]:
        """Everything in the folder, to compare."""
        return {
            str(file.relative_to(self.folder)): file.read_bytes()
            for file in sorted(self.folder.rglob("*"))
            if file.is_file()
        }

    def _run(self, *command: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env={**self.env(), **env},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """Where other users may come to; pytest closes its own folder to them whenever it starts."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a clone would hold, open to everybody: it is closed by who wants it so."""
    folder = tmp_path_factory.mktemp("clone")
    for name in COPIED:
        if (ROOT / name).is_dir():
            # What Python leaves there is not of a clone.
            leave_out = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, folder / name, ignore=leave_out)
        else:
            shutil.copy2(ROOT / name, folder / name)
    for path in (folder, *folder.rglob("*")):
        mode = path.stat().st_mode
        path.chmod(mode | 0o444 | (0o111 if mode & 0o100 else 0))
    return folder


@pytest.fixture
def checkout(tmp_path: Path, clone: Path) -> Checkout:
    return Checkout(tmp_path, clone)


@pytest.fixture
def configured(checkout: Checkout) -> Checkout:
    checkout.configure()
    return checkout


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory, clone: Path) -> Checkout:
    """Deployed once, to be copied."""
    checkout = Checkout(tmp_path_factory.mktemp("template"), clone)
    checkout.configure()
    done = checkout.deploy()
    assert done.returncode == 0, done.stderr
    (checkout.docker / "calls").unlink()
    return checkout


@pytest.fixture
def deployed(template: Checkout, tmp_path: Path) -> Checkout:
    """Deployed before, with nothing noted of it."""
    return Checkout(tmp_path, template.folder, template.docker)
