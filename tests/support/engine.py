"""The Docker engine of this machine, and containers that last as long as a block."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

ADDRESS = "127.0.0.31"


def docker(*arguments: str) -> str:
    """Run a command of Docker; returns what it prints, fails with what it says."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr}"
    return done.stdout.strip()


def engine_answers() -> bool:
    """Tell whether there is an engine to run containers with."""
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


@contextmanager
def container(
    image: str, port: int, *options: str, command: tuple[str, ...] = (), at: str = f"{ADDRESS}:"
) -> Iterator[int]:
    """Run a container whose port is published here, at an address and a port or any port.

    Yields the port of this machine.
    """
    name = docker("run", "--detach", "--publish", f"{at}:{port}", *options, image, *command)
    try:
        yield int(docker("port", name, str(port)).splitlines()[0].rpartition(":")[2])
    finally:
        docker("rm", "--force", "--volumes", name)
