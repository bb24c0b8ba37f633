"""Workers and masters are replaced one by one; whatever goes wrong, no share of users is lost."""

import pytest

from tests.scripts.conftest import PROJECT, Checkout

RUN = "20260101-000000-abcd"


def order(checkout: Checkout) -> list[str]:
    """What was done to workers and masters, in a few words."""
    words = {
        "start fake-locust-worker": "one more worker",
        "start fake-locust-master": "one more master",
        " try-worker": "tried",
        "--remove-orphans": "all else",
    }
    steps = []
    for call in checkout.calls():
        if "--dry-run" in call:
            continue
        if call.startswith("stop "):
            steps.append(f"{call.removeprefix('stop fake-locust-')} leaves")
        steps += [step for word, step in words.items() if word in call]
    return steps


@pytest.fixture
def running(deployed: Checkout) -> Checkout:
    """Deployed, with a run on three workers, and with images that have changed since."""
    deployed.fake("run", f"active {RUN}")
    deployed.fake("recreate", "locust-master locust-worker console")
    deployed.fake("content", "2")
    return deployed


@pytest.mark.parametrize("script", ["deploy.sh production", "rolling_update.sh"])
def test_beside_a_run_each_worker_is_there_before_another_leaves(
    running: Checkout, script: str
) -> None:
    done = running.run(*script.split())

    assert done.returncode == 0, done.stderr
    assert order(running) == [
        *("one more worker", "tried", "worker-3 leaves"),
        *("one more worker", "tried", "worker-2 leaves"),
        *("one more worker", "tried", "worker-1 leaves"),
        *("one more master", "master-1 leaves"),
        "all else",
    ]


def test_nothing_is_replaced_that_has_not_changed(deployed: Checkout) -> None:
    done = deployed.run("rolling_update.sh")

    assert done.returncode == 0, done.stderr
    assert order(deployed) == ["all else"]


def test_without_a_run_workers_are_replaced_one_by_one_only_if_that_is_wanted(
    running: Checkout,
) -> None:
    running.fake("run", "none")

    running.deploy()
    assert "one more worker" not in order(running)

    running.run("rolling_update.sh")
    assert order(running).count("one more worker") == 3


@pytest.mark.parametrize("fails", ["{{.ID}}", "{{.Names}}", "config-hash"])
def test_an_engine_that_does_not_say_what_is_there_ends_the_update(
    running: Checkout, fails: str
) -> None:
    running.fake("recreate", "locust-worker")
    running.fake("fails", fails)

    call = f"replace_one_by_one {PROJECT} locust-worker 3 || echo stopped"

    assert running.call("eval", call) == "stopped"


def test_an_unfit_worker_is_taken_away_and_no_other_one_leaves(running: Checkout) -> None:
    running.fake("unfit")

    done = running.run("rolling_update.sh")

    assert done.returncode == 1
    assert order(running)[:3] == ["one more worker", "tried", "worker-4 leaves"]
    assert "fake-locust-worker-4 is unfit and is removed" in done.stderr
    assert "going back to the former one" in done.stderr


def test_as_many_workers_as_before_are_there_after_a_failure(running: Checkout) -> None:
    running.fake("workers", "5")
    running.fake("unfit")

    running.run("rolling_update.sh")

    assert running.setting("LOCUST_WORKERS") == "5"
    block = (running.folder / ".env").read_text().partition("written by deploy.sh")[2]
    assert "LOCUST_WORKERS=5" in block


def test_an_interrupted_update_goes_on_from_what_is_there(running: Checkout) -> None:
    """One worker was replaced, a second new one is there, and one old one had just been stopped."""
    running.fake("added", "fake-locust-worker-4\nfake-locust-worker-5\n")
    running.fake("stopped", "fake-locust-worker-3")
    (running.folder / ".deploy" / "in_progress").touch()

    done = running.run("rolling_update.sh")

    assert done.returncode == 0, done.stderr
    assert order(running) == [
        *("tried", "tried", "worker-2 leaves"),
        *("one more worker", "tried", "worker-1 leaves"),
        *("one more master", "master-1 leaves"),
        "all else",
    ]
    assert "rm fake-locust-worker-3" in running.calls()


def test_on_the_way_back_those_that_proved_themselves_are_not_tried_again(
    running: Checkout,
) -> None:
    running.fake("added", "fake-locust-worker-4\n")

    running.call("hand_over", PROJECT, "back")

    assert order(running)[:5] == [
        *("worker-3 leaves", "one more worker", "tried", "worker-2 leaves", "one more worker")
    ]


def test_a_failed_update_goes_back_without_trying_anybody_again(running: Checkout) -> None:
    running.fake("fails", "stop fake-locust-worker-2")

    done = running.run("rolling_update.sh")

    assert done.returncode == 1
    assert "going back to the former one" in done.stderr
    assert order(running).count("tried") == 2


def test_a_master_that_ends_has_given_no_verdict(running: Checkout) -> None:
    asked = running.docker / "asked"
    fake = (running.bin / "docker").read_text().splitlines()[1]
    no_verdict = f"if [ ! -e {asked} ]; then touch {asked}; exit 1; fi"
    running.program("docker", f'case "$*" in *try-worker*) {no_verdict};; esac\n{fake}')

    running.call("try_worker", PROJECT, "fake-locust-worker-1")

    assert order(running) == ["tried"]


def test_without_a_running_master_nobody_is_asked_about_a_worker(running: Checkout) -> None:
    restarting = running.docker / "restarting"
    restarting.write_text(f"{PROJECT}-locust-master-1")
    running.program("sleep", f"rm {restarting}")

    running.call("try_worker", PROJECT, "fake-locust-worker-1")

    [call] = [call for call in running.calls() if "try-worker" in call]
    assert call.startswith("exec locust-master-0 ")


def test_a_run_keeps_its_demo_shop_until_the_next_deployment(running: Checkout) -> None:
    before = running.setting("DEMO_IMAGE")

    running.deploy()
    assert running.setting("DEMO_IMAGE") == before != running.setting("CONSOLE_IMAGE")

    running.fake("run", "none")
    running.deploy()
    assert running.setting("DEMO_IMAGE") == running.setting("CONSOLE_IMAGE")


def test_a_run_keeps_its_locustfile(running: Checkout) -> None:
    (running.folder / "locustfiles" / "demo_shop.py").write_text("# another one\n")

    done = running.run("rolling_update.sh")

    assert done.returncode == 3
    assert f"the run {RUN} is active, and what its users do was changed" in done.stderr
    assert order(running) == []


def test_another_scenario_may_change_beside_a_run(running: Checkout) -> None:
    (running.folder / "locustfiles" / "production_test.py").write_text("# another one\n")

    assert running.run("rolling_update.sh").returncode == 0


def test_a_failed_update_goes_back_to_the_locustfile_that_run_test_switched_to(
    running: Checkout,
) -> None:
    running.fake("run", "none")
    running.program("setsid", "echo 20260101-000000-abcd")
    test = ("--users=5", "--spawn-rate=1", "--run-time=10s", "--locustfile=production_test.py")
    assert running.run("run_test.sh", *test).returncode == 0
    running.fake("run", f"active {RUN}")
    running.fake("unfit")

    done = running.run("rolling_update.sh")

    assert done.returncode == 1, done.stderr
    assert running.setting("LOCUSTFILE") == "production_test.py"


@pytest.mark.parametrize("arguments", [("--force",), ("v1", "v2")])
def test_wrong_arguments_end_with_2_before_anything(
    deployed: Checkout, arguments: tuple[str, ...]
) -> None:
    assert deployed.run("rolling_update.sh", *arguments).returncode == 2
    assert deployed.calls() == []


def test_without_a_deployment_there_is_nothing_to_update(configured: Checkout) -> None:
    done = configured.run("rolling_update.sh")

    assert done.returncode == 3
    assert "nothing is deployed from here; scripts/deploy.sh production does it" in done.stderr


def test_a_scenario_is_its_locustfile_with_data_and_what_it_names(checkout: Checkout) -> None:
    folder = checkout.folder / "locustfiles"
    for old in folder.iterdir():
        old.unlink()
    (folder / "mine.py").write_text("from steps import buy\n")
    (folder / "steps.py").write_text("import money\n")
    (folder / "money.py").write_text("")
    (folder / "theirs.py").write_text("import steps\n")
    (folder / "names.csv").write_text("")
    (folder / "common").mkdir()
    (folder / "common" / "__init__.py").write_text("")

    found = checkout.call("scenario_files", "mine.py").split()

    assert found == [
        f"locustfiles/{name}" for name in ("mine.py", "money.py", "names.csv", "steps.py")
    ]
