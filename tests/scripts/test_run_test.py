"""run_test.sh checks what it is given, and tells a bad test from a stack that is not there."""

import pytest

from tests.scripts.conftest import Checkout

GOOD = ("--users", "5", "--spawn-rate", "1", "--run-time", "10s")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--users, --spawn-rate and --run-time are needed"),
        ((*GOOD, "--users", "0"), "--users is 0; use a whole number from 1"),
        ((*GOOD, "--users=many"), "--users is many; use a whole number from 1"),
        ((*GOOD, "--spawn-rate", "0.0"), "--spawn-rate is 0.0; use a number above 0"),
        ((*GOOD, "--run-time", "soon"), "--run-time is soon; use 90s, 30m or 1h30m"),
        ((*GOOD, "--run-time", "0s"), "--run-time is 0s; use 90s, 30m or 1h30m"),
        ((*GOOD, "--max-failure-ratio", "2"), "--max-failure-ratio is 2; use 0 to 1"),
        ((*GOOD, "--host", "shop"), "--host is shop; use a URL"),
        ((*GOOD, "--alert", "slow"), "--alert is slow; use a name and a number from 0"),
        ((*GOOD, "--name"), "--name needs a value"),
        ((*GOOD, "--fast"), "unknown argument '--fast'"),
    ],
)
def test_wrong_arguments_end_with_2_before_anything(
    deployed: Checkout, arguments: tuple[str, ...], words: str
) -> None:
    done = deployed.run("run_test.sh", *arguments)

    assert done.returncode == 2
    assert words in done.stderr
    assert deployed.calls() == []


def test_a_stack_that_does_not_run_ends_with_4(configured: Checkout) -> None:
    done = configured.run("run_test.sh", *GOOD)

    assert done.returncode == 4
    assert "the stack is not running; scripts/deploy.sh production starts it" in done.stderr


def test_an_engine_that_does_not_answer_ends_with_4(deployed: Checkout) -> None:
    deployed.fake("down")

    assert deployed.run("run_test.sh", *GOOD).returncode == 4


@pytest.mark.parametrize(("ends", "code"), [(0, 0), (1, 1), (2, 2), (4, 4), (137, 4)])
def test_the_end_of_the_run_is_the_end_of_the_script(
    deployed: Checkout, ends: int, code: int
) -> None:
    client(deployed, f"echo 20260101-000000-abcd; exit {ends}")

    done = deployed.run("run_test.sh", *GOOD)

    assert done.returncode == code
    assert done.stdout.strip() == f"{deployed.folder}/reports/20260101-000000-abcd"


def test_a_run_is_followed_further_from_the_console_that_takes_the_place_of_its_own(
    deployed: Checkout,
) -> None:
    replaced = 'echo later >"$FAKE_DOCKER/started"; exit 137'
    goes_on = 'case "$*" in *--follow=20260101-000000-abcd*) exit 1;; esac'
    client(deployed, f"echo 20260101-000000-abcd; {goes_on}; {replaced}")

    done = deployed.run("run_test.sh", *GOOD)

    assert done.returncode == 1, done.stderr
    assert "the console was replaced; run 20260101-000000-abcd goes on" in done.stderr
    assert done.stdout.strip() == f"{deployed.folder}/reports/20260101-000000-abcd"


def test_a_console_that_cannot_be_asked_is_no_failed_test(deployed: Checkout) -> None:
    client(deployed, "exit 1")

    assert deployed.run("run_test.sh", *GOOD).returncode == 4


def test_a_client_that_ends_before_it_has_read_the_token_is_told_by_its_code(
    deployed: Checkout,
) -> None:
    # More than a pipe holds, so that it is still being written when the client ends.
    deployed.program("setsid", "sleep 0.2; exit 2")

    done = deployed.run("run_test.sh", *GOOD, FLEET_TOKEN="x" * 100_000)

    assert done.returncode == 2, done.stderr


def test_what_the_caller_says_reaches_the_client_as_it_is(deployed: Checkout) -> None:
    client(deployed, "echo 20260101-000000-abcd")

    deployed.run("run_test.sh", *GOOD, '--name=it\'s "mine" $HOME', "--max-failure-ratio", "0.01")

    [call] = [call for call in deployed.calls() if "run-test" in call and "--users=5" in call]
    assert '--max-failure-ratio=0.01 --name=it\'s "mine" $HOME' in call


def test_every_threshold_reaches_the_client(deployed: Checkout) -> None:
    client(deployed, "echo 20260101-000000-abcd")

    deployed.run(
        "run_test.sh", *GOOD, "--alert=HighResponseTime=15", "--alert", "LowThroughput=0.5"
    )

    [call] = [call for call in deployed.calls() if "run-test" in call and "--users=5" in call]
    assert "--alert=HighResponseTime=15 --alert=LowThroughput=0.5" in call


def test_the_locustfile_in_use_restarts_nothing(deployed: Checkout) -> None:
    client(deployed, "echo 20260101-000000-abcd")
    before = deployed.state()

    done = deployed.run("run_test.sh", *GOOD, "--locustfile", "demo_shop.py")

    assert done.returncode == 0, done.stderr
    after = {name: text for name, text in deployed.state().items() if "reports" not in name}
    assert after == before


@pytest.mark.parametrize("path", ["production_test.py", "locustfiles/production_test.py"])
def test_another_locustfile_is_checked_and_then_used(deployed: Checkout, path: str) -> None:
    client(deployed, "echo 20260101-000000-abcd")

    done = deployed.run("run_test.sh", *GOOD, "--locustfile", path)

    assert done.returncode == 0, done.stderr
    assert deployed.setting("LOCUSTFILE") == "production_test.py"
    calls = "\n".join(deployed.calls())
    order = ("check-locustfile", "--scale locust-worker=3 locust-master locust-worker", "run-test")
    found = [calls.index(word) for word in order]
    assert found == sorted(found)


def test_a_changed_locustfile_is_used_too(deployed: Checkout) -> None:
    client(deployed, "echo 20260101-000000-abcd")
    (deployed.folder / "locustfiles" / "demo_shop.py").write_text("# changed\n")

    deployed.run("run_test.sh", *GOOD, "--locustfile", "demo_shop.py")

    assert [call for call in deployed.calls() if "check-locustfile" in call]


@pytest.mark.parametrize("step", ["stop locust-worker", "--scale locust-worker=3"])
@pytest.mark.parametrize("name", ["production_test.py", "demo_shop.py"])
def test_a_switch_that_failed_is_made_up_for(deployed: Checkout, name: str, step: str) -> None:
    client(deployed, "echo 20260101-000000-abcd")
    (deployed.folder / "locustfiles" / "demo_shop.py").write_text("# changed\n")
    deployed.fake("fails", step)
    assert deployed.run("run_test.sh", *GOOD, "--locustfile", name).returncode in (1, 4)
    deployed.fake("fails")
    (deployed.docker / "calls").unlink()

    done = deployed.run("run_test.sh", *GOOD, "--locustfile", name)

    assert done.returncode == 0, done.stderr
    assert [call for call in deployed.calls() if "--scale locust-worker=3 locust-master" in call]


def test_workers_that_do_not_run_are_started_for_a_locustfile(deployed: Checkout) -> None:
    client(deployed, "echo 20260101-000000-abcd")
    deployed.fake("stopped", "fake-locust-worker-2")

    deployed.run("run_test.sh", *GOOD, "--locustfile", "demo_shop.py")

    assert [call for call in deployed.calls() if "--scale locust-worker=3 locust-master" in call]


def test_no_workers_at_all_are_no_reason_to_start_anything_again(deployed: Checkout) -> None:
    client(deployed, "echo 20260101-000000-abcd")
    deployed.fake("workers", "0")

    deployed.run("run_test.sh", *GOOD, "--locustfile", "demo_shop.py")

    assert not [call for call in deployed.calls() if " up " in call]


def test_a_locustfile_that_does_not_import_changes_nothing(deployed: Checkout) -> None:
    deployed.fake("fails", "check-locustfile")
    before = deployed.state()

    done = deployed.run("run_test.sh", *GOOD, "--locustfile", "production_test.py")

    assert done.returncode == 2
    assert "production_test.py cannot be used; nothing was changed" in done.stderr
    assert deployed.state() == before


def test_the_locustfile_of_an_active_run_stays(deployed: Checkout) -> None:
    deployed.fake("run", "active 20260101-000000-abcd")
    before = deployed.state()

    done = deployed.run("run_test.sh", *GOOD, "--locustfile", "production_test.py")

    assert done.returncode == 3
    assert deployed.state() == before


def test_a_run_that_begins_while_the_locustfile_is_checked_is_spared(deployed: Checkout) -> None:
    deployed.fake("begins", "check-locustfile")
    deployed.fake("then_run", "active 20260101-000000-abcd")
    before = deployed.state()

    done = deployed.run("run_test.sh", *GOOD, "--locustfile", "production_test.py")

    assert done.returncode == 3
    assert deployed.state() == before
    assert not [call for call in deployed.calls() if "stop locust-worker" in call]


def test_the_locustfile_stays_while_workers_may_carry_a_run_of_a_master_that_starts_again(
    deployed: Checkout,
) -> None:
    deployed.fake("restarting", "fake-locust-master-1")
    before = deployed.state()

    done = deployed.run("run_test.sh", *GOOD, "--locustfile", "production_test.py")

    assert done.returncode == 3
    assert "a run is active, or no master says that there is none" in done.stderr
    assert deployed.state() == before


def test_a_locustfile_elsewhere_is_refused_with_the_folder_to_use(deployed: Checkout) -> None:
    elsewhere = deployed.docker / "mine.py"
    elsewhere.write_text("")

    done = deployed.run("run_test.sh", *GOOD, "--locustfile", str(elsewhere))

    assert done.returncode == 2
    assert f"is outside of {deployed.folder}/locustfiles" in done.stderr


def test_a_locustfile_that_is_not_there_is_named(deployed: Checkout) -> None:
    done = deployed.run("run_test.sh", *GOOD, "--locustfile", "nothing.py")

    assert done.returncode == 2
    assert "there is no locustfile nothing.py; put it into" in done.stderr


def client(checkout: Checkout, script: str) -> None:
    """Let the client in the console's container do this."""
    fake = (checkout.bin / "docker").read_text().splitlines()[1].removeprefix("exec ")
    checkout.program(
        "docker", f'{fake}\ncode=$?\ncase "$*" in *"run-test --users"*) {script};; esac\nexit $code'
    )
