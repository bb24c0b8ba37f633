"""One stack for all of them, of several masters and workers; each test finds it whole."""

import os
from collections.abc import Iterator

import pytest
import requests

from tests.e2e.chaos.stack import WORKERS, ChaosStack


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChaosStack]:
    stack = ChaosStack(tmp_path_factory.mktemp("chaos"), f"h-chaos-{os.getpid()}")
    try:
        done = stack.deploy()
        assert done.returncode == 0, f"{done.stderr}\n{stack.logs()}"
        yield stack
    finally:
        stack.remove()


@pytest.fixture(scope="session")
def operator(deployed: ChaosStack) -> requests.Session:
    return deployed.token("operator")


@pytest.fixture
def stack(deployed: ChaosStack, operator: requests.Session) -> ChaosStack:
    """The stack, whole and idle before."""
    deployed.whole()
    deployed.wait_for_workers(operator, WORKERS)
    deployed.reset_served()
    return deployed
