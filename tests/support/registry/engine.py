"""An engine that knows no images, with a registry that is its mirror of docker.io."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.engine import docker
from tests.support.registry import way
from tests.support.registry.images import put_image, remove_image
from tests.support.waiting import wait_until

# A container that has the machine's own root, and may do what the machine may.
BASE = "locust-fleet/base:packages"
MACHINE = ("--privileged", "--volume", "/:/machine", "--entrypoint", "sh", BASE)
MOVE_IN = "mount -t proc proc /machine/proc && cd /machine && pivot_root . mnt && umount -l /mnt"
START_S = 30.0


@dataclass(frozen=True)
class Engine:
    """The engine, its registry and the way between them; all they have is in a folder."""

    folder: Path
    container: str

    @property
    def host(self) -> str:
        return f"unix://{self.folder}/docker.sock"

    def docker(self, *arguments: str, stdin: bytes = b"") -> str:
        done = subprocess.run(
            ["docker", "--host", self.host, *arguments],
            input=stdin,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()

    def images(self) -> set[str]:
        return set(self.docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").splitlines())

    def offer(self, image: str) -> None:
        put_image(self.folder / "registry", image)

    def withdraw(self, image: str) -> None:
        remove_image(self.folder / "registry", image)

    def break_way(self, faults: way.Faults) -> None:
        way.write_faults(self.folder, faults)

    def heal_way(self) -> None:
        way.write_faults(self.folder, way.Faults())
        (self.folder / "asked").write_text("")

    def asked(self) -> str:
        """Return the paths that the registry was asked for, one a line."""
        return (self.folder / "asked").read_text()

    def answers(self) -> bool:
        command = ["docker", "--host", self.host, "version"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def words(self) -> str:
        command = ["docker", "logs", "--tail", "20", self.container]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr


@contextmanager
def running_engine(folder: Path, network: str, *options: str) -> Iterator[Engine]:
    """Run all three in one privileged container, so that nobody here has to be root.

    They have a network of their own: an engine in that of the machine would take its rules and its
    bridge away from the one that is there.
    """
    program = shutil.which("docker-registry")
    assert program, "docker-registry is missing; scripts/test.sh installs it"
    engine = Engine(folder, f"fleet-engine-{uuid.uuid4().hex[:8]}")
    (folder / "registry.json").write_text(json.dumps(registry_settings(folder)))
    engine.heal_way()
    script = f"""
        {MOVE_IN} || exit
        {shlex.quote(program)} serve {folder}/registry.json &
        {shlex.quote(sys.executable)} {Path(way.__file__)} {folder} &
        exec dockerd --data-root {folder}/data --exec-root {folder}/exec --pidfile {folder}/pid \
          --host {engine.host} --registry-mirror http://{way.ADDRESS}:{way.PORT} \
          --max-download-attempts 1 {shlex.join(options)}
    """
    docker(
        *("run", "--detach", "--init", "--name", engine.container, "--network", network),
        *(*MACHINE, "-c", script),
    )
    try:
        wait_until(engine.answers, lambda: f"an answer of the engine ({engine.words()})", START_S)
        yield engine
    finally:
        docker("rm", "--force", engine.container)
        # Its files belong to root, whoever runs the tests.
        docker("run", "--rm", "--network", "none", *MACHINE, "-c", f"{MOVE_IN} && rm -rf {folder}")


def registry_settings(folder: Path) -> dict[str, object]:
    return {
        "version": "0.1",
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": f"{folder}/registry"}},
        "http": {"addr": f"{way.ADDRESS}:{way.REGISTRY_PORT}"},
    }
