"""Stopping keeps data, and the emergency stop says what to do without a master."""

import pytest

from tests.scripts.conftest import Checkout


def test_stopping_keeps_the_data(deployed: Checkout) -> None:
    done = deployed.run("stop.sh")

    assert done.returncode == 0, done.stderr
    [down] = [call for call in deployed.calls() if " down" in call]
    assert "--volumes" not in down


def test_data_is_not_deleted_without_yes(deployed: Checkout) -> None:
    done = deployed.run("stop.sh", "--delete-data")

    assert done.returncode == 2
    assert "add --yes" in done.stderr
    assert deployed.calls() == []


def test_data_is_deleted_when_that_is_wanted(deployed: Checkout) -> None:
    done = deployed.run("stop.sh", "--delete-data", "--yes")

    assert done.returncode == 0, done.stderr
    assert [call for call in deployed.calls() if " down" in call and "--volumes" in call]


def test_an_emergency_stop_asks_the_master_alone(deployed: Checkout) -> None:
    deployed.fake("run", "stopped 20260101-000000-abcd")
    (deployed.folder / "docker-compose.prod.yml").write_text("broken: [")

    done = deployed.run("stop_run.sh")

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "stopped 20260101-000000-abcd"


def test_an_emergency_stop_without_an_answer_says_what_to_do(deployed: Checkout) -> None:
    deployed.fake("fails", "stop-run")

    done = deployed.run("stop_run.sh")

    assert done.returncode == 1
    assert "the master does not answer, so its workers may go on; repeat with --kill" in done.stderr


def test_an_emergency_stop_without_a_master_says_so(configured: Checkout) -> None:
    done = configured.run("stop_run.sh")

    assert done.returncode == 1
    assert "no master runs" in done.stderr


@pytest.mark.parametrize("script", ["stop.sh", "stop_run.sh"])
def test_an_engine_that_is_down_is_said_to_be(deployed: Checkout, script: str) -> None:
    deployed.fake("down")

    done = deployed.run(script)

    assert done.returncode == 3
    assert (
        "the Docker engine does not answer; scripts/deploy.sh production starts it" in done.stderr
    )


def test_workers_are_killed_when_that_is_wanted(deployed: Checkout) -> None:
    deployed.fake("fails", "stop-run")

    done = deployed.run("stop_run.sh", "--kill")

    assert done.returncode == 0, done.stderr
    assert "kill locust-worker-0 locust-worker-1 locust-worker-2" in deployed.calls()
