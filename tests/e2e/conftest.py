"""One deployed stack for all end-to-end tests; each finds it idle, with three workers."""

import os
from collections.abc import Generator, Iterator

import pytest
import requests

from tests.support.stack import Stack

LONGEST = ("test_rolling_update", "test_deploy", "test_scripts", "test_load", "test_own_parts")


@pytest.fixture(scope="session")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("stack"), f"fleet-e2e-{os.getpid()}")
    try:
        done = stack.deploy()
        assert done.returncode == 0, f"{done.stderr}\n{stack.logs()}"
        yield stack
    finally:
        stack.remove()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest, so that no process waits for another's last tests."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(place)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with each failure what the stack said meanwhile."""
    report = yield
    deployed = getattr(item, "funcargs", {}).get("deployed")
    if report.failed and isinstance(deployed, Stack):
        report.sections.append(("logs of the stack", deployed.logs()))
    return report


@pytest.fixture
def stack(deployed: Stack, viewer: requests.Session) -> Stack:
    """The stack, whole and idle before."""
    deployed.idle()
    deployed.wait_for_workers(viewer, 3)
    deployed.reset_served()
    return deployed


@pytest.fixture
def admin(deployed: Stack) -> requests.Session:
    return deployed.browser()


@pytest.fixture(scope="session")
def operator(deployed: Stack) -> requests.Session:
    return deployed.token("operator")


@pytest.fixture(scope="session")
def viewer(deployed: Stack) -> requests.Session:
    return deployed.token("viewer")
