"""An update beside a run: users stay, every request is counted, and what is unfit goes again."""

import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import pytest
import requests

from tests.e2e.test_deploy import changed
from tests.support.process import interrupt, start_script, wait_for_words
from tests.support.stack import DEMO, Stack

USERS = 30
WORKERS = 3
# As a version of ours that does not work may be.
DOES_NOT_START = "raise RuntimeError('unfit')\n"
FAILS_ITS_REQUESTS = """
from locust.contrib.fasthttp import FastHttpSession

ask = FastHttpSession.request
FastHttpSession.request = lambda self, method, url, **more: ask(self, method, CLOSED, **more)
CLOSED = "http://localhost:9"
"""


CANNOT_LEAD = """
from locust_fleet.master.failover.takeover import Takeover

wait = Takeover.wait


def lead(self, *arguments):
    wait(self, *arguments)
    raise RuntimeError("unfit to lead")


Takeover.wait = lead
"""


class Watch:
    """What a user of the API sees of a run, looked at all the time."""

    def __init__(self, stack: Stack, session: requests.Session) -> None:
        self._stack, self._session = stack, session
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.seen: list[int] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()

    @property
    def fewest_users(self) -> int:
        return min(self.seen)

    def _look(self) -> None:
        while not self._done.wait(0.3):
            # While the front or the console is replaced, nobody sees anything.
            look = self._stack.look(self._session)
            # A new leader learns from the workers which users they have; those go on meanwhile.
            if look.get("resuming") is False:
                self.seen.append(look["users"])


@pytest.fixture(scope="module")
def updated(deployed: Stack) -> Iterator[None]:
    """The stack is of this checkout again after all updates."""
    yield
    deployed.idle()
    done = deployed.deploy()
    assert done.returncode == 0, done.stderr


@pytest.fixture
def run(stack: Stack, operator: requests.Session, updated: None) -> str:
    """A run with all its users on three workers."""
    run_id = stack.start(operator, users=USERS, spawn_rate=USERS, host=DEMO)
    stack.wait_for_users(operator, USERS)
    stack.wait_for_requests(operator, 50)
    return run_id


@contextmanager
def pipeline(stack: Stack) -> Iterator[subprocess.Popen[str]]:
    """A run that run_test.sh has started, and follows."""
    load = (f"--users={USERS}", f"--spawn-rate={USERS}", "--run-time=1h", f"--host={DEMO}")
    process = start_script(stack.folder / "scripts" / "run_test.sh", *load)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def new_version(stack: Stack, text: str = "", part: str = "worker") -> Iterator[None]:
    """Have another version of our code in the checkout."""
    file = stack.folder / "src" / "locust_fleet" / part / "__init__.py"
    with changed(file, f'"""Made at {time.time()}."""\n{text}'):
        yield


def end_and_compare(stack: Stack, session: requests.Session, run_id: str) -> None:
    """Nothing failed, and what the shop served is what Postgres holds."""
    stack.stop(session, run_id)
    totals, served = stack.run(session)["totals"], stack.served()
    assert totals["failures"] == 0
    assert totals["requests"] == served
    stack.wait_until_recorded(run_id, served)


def images(stack: Stack, service: str) -> set[str]:
    form = ("docker", "inspect", "--format", "{{.Config.Image}}", *stack.containers(service))
    done = subprocess.run(form, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_workers_masters_and_console_are_updated_and_the_run_never_notices(
    stack: Stack, operator: requests.Session, updated: None
) -> None:
    former = {service: images(stack, service) for service in ("locust-worker", "console")}
    shop = stack.containers("demo-target")

    with pipeline(stack) as follower:
        stack.wait_for_users(operator, USERS)
        run = stack.run(operator)["run"]["id"]
        with Watch(stack, operator) as watch:
            with new_version(stack):
                done = stack.script("rolling_update.sh")
            assert done.returncode == 0, done.stderr
            stack.wait_for_users(operator, USERS)
        end_and_compare(stack, operator, run)
        _, said = follower.communicate(timeout=60)

    assert said.count(f"the console was replaced; run {run} goes on") == 1, said
    assert "not judged: the run ended as stopped" in said
    assert watch.fewest_users >= USERS - USERS // WORKERS, watch.seen
    for service, before in former.items():
        assert not images(stack, service) & before
    assert images(stack, "locust-worker") == images(stack, "locust-master")
    assert stack.containers("demo-target") == shop
    assert len(stack.containers("locust-worker")) == WORKERS
    assert "Recreate" not in stack.plan("--scale", f"locust-worker={WORKERS + 1}")


def test_an_update_that_was_killed_is_finished_by_the_next_one(
    stack: Stack, operator: requests.Session, run: str
) -> None:
    with new_version(stack), Watch(stack, operator) as watch:
        for word, end in (("leaves", signal.SIGINT), ("starts", signal.SIGKILL)):
            interrupt_update(stack, word, end)
        done = stack.script("rolling_update.sh")
        stack.wait_for_users(operator, USERS)

    assert done.returncode == 0, done.stderr
    assert watch.fewest_users >= USERS - USERS // WORKERS, watch.seen
    assert len(images(stack, "locust-worker")) == 1
    assert len(stack.containers("locust-worker")) == WORKERS
    assert "Recreate" not in stack.plan()
    end_and_compare(stack, operator, run)


def interrupt_update(stack: Stack, word: str, end: signal.Signals) -> None:
    """Begin an update, and end it as soon as it says a word."""
    process = start_script(stack.folder / "scripts" / "rolling_update.sh")
    wait_for_words(process, word)

    code, _ = interrupt(process, end)

    assert code not in (0, 1)


@pytest.mark.parametrize(
    ("code", "reason"),
    [(DOES_NOT_START, "RuntimeError: unfit"), (FAILS_ITS_REQUESTS, "requests failed")],
)
def test_an_unfit_version_goes_again_and_the_former_one_stays(
    stack: Stack, operator: requests.Session, run: str, code: str, reason: str
) -> None:
    workers = stack.containers("locust-worker")
    former = (stack.folder / ".env").read_text()

    with Watch(stack, operator) as watch, new_version(stack, code):
        done = stack.script("rolling_update.sh")
        stack.wait_for_users(operator, USERS)

    assert done.returncode == 1, done.stderr
    assert reason in done.stderr
    assert "unfit" in done.stderr
    assert done.stderr.endswith("the former deployment runs again\n"), done.stderr
    assert stack.containers("locust-worker") == workers
    assert watch.fewest_users >= USERS - USERS // WORKERS, watch.seen
    assert (stack.folder / ".env").read_text() == former
    assert stack.run(operator)["run"]["id"] == run


def test_a_version_that_cannot_lead_goes_again_and_the_run_stays(
    stack: Stack, operator: requests.Session, run: str
) -> None:
    former = images(stack, "locust-master")

    with Watch(stack, operator) as watch, new_version(stack, CANNOT_LEAD, "master"):
        done = stack.script("rolling_update.sh")
        stack.wait_for_users(operator, USERS)

    assert done.returncode == 1, done.stderr
    assert "no new master leads" in done.stderr
    assert "RuntimeError: unfit to lead" in done.stderr
    assert done.stderr.endswith("the former deployment runs again\n"), done.stderr
    assert images(stack, "locust-worker") == images(stack, "locust-master") == former
    assert watch.fewest_users >= USERS - USERS // WORKERS, watch.seen
    assert stack.run(operator)["run"]["id"] == run
    end_and_compare(stack, operator, run)


def test_a_changed_locustfile_waits_for_the_end_of_the_run(stack: Stack, run: str) -> None:
    before = stack.containers()
    scenario = stack.folder / "locustfiles" / "demo_shop.py"

    with changed(scenario, f"{scenario.read_text()}# changed\n"):
        done = stack.script("rolling_update.sh")

    assert done.returncode == 3
    assert run in done.stderr
    assert stack.containers() == before
