"""A first deployment that fails leaves nothing on the engine."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.engine import docker
from tests.support.stack import Stack

PROJECT = f"fleet-e2e-first-{os.getpid()}"


@pytest.fixture
def clone(tmp_path: Path) -> Iterator[Stack]:
    stack = Stack(tmp_path / "first", PROJECT)
    try:
        yield stack
    finally:
        stack.remove()


def left() -> list[str]:
    """What the engine holds of the project."""
    only = ("--filter", f"label=com.docker.compose.project={PROJECT}")
    return [
        *docker("ps", "--all", "--quiet", *only).split(),
        *docker("volume", "ls", "--quiet", *only).split(),
        *docker("network", "ls", "--quiet", *only).split(),
    ]


def test_a_fresh_clone_may_deploy_after_one_that_failed(clone: Stack, tmp_path: Path) -> None:
    (clone.folder / "postgres" / "migrations" / "9999_wrong.sql").write_text("wrong")

    done = clone.deploy()

    assert done.returncode == 1
    assert "migrate failed" in done.stderr
    assert "removed its containers, networks and volumes" in done.stderr
    assert left() == []
    another = Stack(tmp_path / "another", PROJECT).deploy("--check")
    assert another.returncode == 0, another.stderr
