"""The commands of the README on a machine on which nothing is installed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.machine import Machine, new_machine
from tests.support.checkout import ROOT

COMMANDS = re.findall(r"(?m)^(\./scripts/.*?) +# installs", (ROOT / "README.md").read_text())


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """The same for all commands, as for who reads the README."""
    with new_machine() as machine:
        machine.clone(tmp_path_factory.mktemp("clone"))
        yield machine


def test_the_readme_begins_with_two_commands() -> None:
    assert COMMANDS == ["./scripts/deploy.sh production", "./scripts/test.sh"]


# In CI, where no test is skipped for what is missing.
@pytest.mark.parametrize("command", COMMANDS)
def test_a_new_machine_needs_nothing_but_this_command(machine: Machine, command: str) -> None:
    machine.run(command, CI="true")


def test_ci_needs_no_deployment_before(tmp_path: Path) -> None:
    """What deploy.sh installs would hide what test.sh forgets to."""
    with new_machine() as machine:
        machine.clone(tmp_path)

        machine.run("./.ci/run --layer alerts", CI="true")
