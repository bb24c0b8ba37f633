"""test.sh shows the tests no program that a new machine would not have."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from tests.scripts.conftest import Checkout

NAMES = "redis-server git openssl awk iptables docker"
HAS_DPKG = shutil.which("dpkg-query") is not None


@pytest.fixture
def prepared(checkout: Checkout) -> Checkout:
    """A checkout whose tests only say which programs they see; Redis is installed by hand."""
    checkout.program("redis-server", "exit 0")
    lock = checkout.folder / "requirements-test.txt"
    lock.write_text("")
    programs = checkout.folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()
    (programs.parent / "lock.sha256").write_text(f"{digest}  {lock.name}\n")
    pytest_ = programs / "pytest"
    pytest_.write_text(f"#!/bin/sh\nfor name in {NAMES}; do command -v $name; done; exit 0\n")
    pytest_.chmod(0o755)
    return checkout


def seen(prepared: Checkout, **env: str) -> tuple[list[str], str]:
    """Return the programs that tests see, and what test.sh said."""
    done = prepared.run("test.sh", "--layer", "unit", **env)
    assert done.returncode == 0, done.stderr
    return [Path(line).name for line in done.stdout.splitlines()], done.stderr


@pytest.mark.skipif(not HAS_DPKG, reason="no dpkg tells what belongs to the base system")
def test_a_program_that_was_installed_by_hand_is_not_seen(prepared: Checkout) -> None:
    names, _ = seen(prepared)

    assert {"git", "openssl", "awk", "docker"} <= set(names)
    assert "redis-server" not in names


def test_where_nothing_tells_what_is_the_base_system_all_are_seen(
    prepared: Checkout, tmp_path: Path
) -> None:
    others = tmp_path / "without-dpkg"
    others.mkdir()
    for folder in prepared.env()["PATH"].split(":"):
        for program in Path(folder).glob("*"):
            link = others / program.name
            if program.name != "dpkg-query" and not link.is_symlink():
                link.symlink_to(program)

    names, said = seen(prepared, PATH=str(others))

    assert "redis-server" in names
    assert "notice: without dpkg" in said
