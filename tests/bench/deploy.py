"""How long deploying takes, from an empty folder and again unchanged, and how large our images are.

Usage: python -m tests.bench.deploy [--rounds 3] [--json]

Needs Docker. The stack has a copy of the checkout, a project and an address of its own, and is gone
afterwards. Images that the engine has already are not made anew.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

from tests.bench import table
from tests.bench.machine import program
from tests.support.engine import docker
from tests.support.stack import Stack

ADDRESS = "127.0.0.97"


def deploy(stack: Stack) -> float:
    """Return how many seconds it took; AssertionError with the reason if it failed."""
    began = time.monotonic()
    done = stack.deploy()
    assert done.returncode == 0, done.stderr
    return time.monotonic() - began


def image_sizes(stack: Stack) -> table.Table:
    """Return what each image of the stack takes on the disk."""
    names = sorted(set(stack.compose("config", "--images").split()))
    sizes = {name: docker("image", "inspect", "--format", "{{.Size}}", name) for name in names}
    rows = tuple((name, int(size) / 1e6) for name, size in sizes.items())
    return table.Table("Images of the stack", ("", "MB"), rows)


def main(arguments: argparse.Namespace) -> None:
    """Deploy, look, and take it away."""
    program("docker")
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder, "stack"), f"fleet-bench-{os.getpid()}", ADDRESS)
        try:
            first = deploy(stack)
            again = table.Spread.of(deploy(stack) for _ in range(arguments.rounds))
            images = image_sizes(stack)
        finally:
            stack.remove()
    rows = (("from an empty folder", first), ("again, unchanged", again))
    table.show(arguments, table.Table("Deploying", ("", "seconds"), rows), images)


if __name__ == "__main__":
    options = table.parser(__doc__)
    options.add_argument("--rounds", type=int, default=3)
    main(options.parse_args())
