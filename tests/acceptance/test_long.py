"""What the other layers try for seconds, for as long as it takes to be believed.

BUSY_S=0: where nothing else runs, what is promised is kept to the second.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.support.checkout import ROOT

FAILOVER = "tests/integration/master/failover"


def run(*arguments: str, timeout_s: int, **env: str) -> None:
    """Run tests of another layer, which show what happens in them."""
    command = (sys.executable, "-m", "pytest", "-q", "--capture=no", *arguments)
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **env}, timeout=timeout_s, check=False
    )
    assert done.returncode == 0, f"{arguments} ended with code {done.returncode}"


@pytest.mark.docker
def test_soak() -> None:
    """Ten minutes under random faults, twice: without and with workers that are killed."""
    run("tests/chaos/test_soak.py", timeout_s=2400, CHAOS_SOAK_S="600", BUSY_S="0")


@pytest.mark.docker
@pytest.mark.parametrize(
    ("file", "kills"),
    [("test_resume.py", "MASTER_KILLS"), ("test_leader_change.py", "LEADER_KILLS")],
)
def test_kills(file: str, kills: str) -> None:
    selected = ("-k", "counted_once_whenever")
    run(f"{FAILOVER}/{file}", *selected, timeout_s=2400, **{kills: "60"}, BUSY_S="0")


@pytest.mark.parametrize("layer", ["unit", "integration"])
def test_fuzz(layer: str) -> None:
    run(f"tests/{layer}", "-m", "hypothesis", timeout_s=3600, FUZZ_FACTOR="20")
