"""Whether a run is active is told from what the engine and the masters say."""

import pytest

from tests.scripts.conftest import PROJECT, Checkout

MASTER = f"{PROJECT}-locust-master-1"
WORKERS = "\n".join(f"{PROJECT}-locust-worker-{number}" for number in (1, 2, 3))


@pytest.mark.parametrize(
    ("restarting", "stopped", "state"),
    [
        ("", "", "active 20260101-000000-abcd"),
        (MASTER, "", "unknown"),
        ("", MASTER, "unknown"),
        (MASTER, WORKERS, "none"),
        ("", f"{MASTER}\n{WORKERS}", "none"),
    ],
)
def test_without_a_master_there_may_be_a_run_as_long_as_a_worker_runs(
    deployed: Checkout, restarting: str, stopped: str, state: str
) -> None:
    deployed.fake("run", "active 20260101-000000-abcd")
    deployed.fake("restarting", restarting)
    deployed.fake("stopped", stopped)

    assert deployed.call("run_state", PROJECT) == state


def test_a_stack_that_is_not_there_has_no_run(configured: Checkout) -> None:
    assert configured.call("run_state", PROJECT) == "none"


@pytest.mark.parametrize("service", ["locust-master", "locust-worker"])
def test_an_engine_that_does_not_say_who_runs_does_not_say_that_nobody_runs(
    deployed: Checkout, service: str
) -> None:
    deployed.fake("stopped", f"{MASTER}\n{WORKERS}")
    deployed.fake("fails", f"service={service}")

    # As those ask who stop where the answer is no.
    assert deployed.call("eval", f"state=$(run_state {PROJECT}) || exit; echo $state") == "unknown"
