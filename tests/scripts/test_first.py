"""A first deployment that fails leaves nothing, and takes away nothing that was there before."""

import shutil

import pytest

from tests.scripts.conftest import Checkout

REMOVING = ("rm --force", "volume rm", "network rm")


def removals(checkout: Checkout) -> list[str]:
    return [call for call in checkout.calls() if call.startswith(REMOVING)]


@pytest.mark.parametrize("step", ["check-locustfile", "-T migrate", "smoke-test"])
def test_a_fresh_clone_deploys_after_a_first_deployment_that_failed(
    configured: Checkout, step: str
) -> None:
    configured.fake("fails", step)

    done = configured.deploy()

    assert done.returncode != 0
    assert "removed its containers, networks and volumes" in done.stderr
    assert "volume rm fake_postgres-data" in configured.calls()
    for made in (configured.docker / "up", configured.docker / "fails"):
        made.unlink(missing_ok=True)
    for folder in ("secrets", ".deploy"):
        shutil.rmtree(configured.folder / folder)
    again = configured.deploy("--check")
    assert again.returncode == 0, again.stderr


def test_a_database_that_was_there_before_is_kept(checkout: Checkout) -> None:
    checkout.configure(POSTGRES_PASSWORD="of an earlier stack")
    checkout.fake("volumes", "fake_postgres-data")
    checkout.fake("fails", "smoke-test")

    done = checkout.deploy()

    assert done.returncode == 1
    assert removals(checkout) == []
    assert "containers and volumes are left; scripts/stop.sh --delete-data --yes" in done.stderr


def test_what_another_folder_deploys_meanwhile_is_kept(configured: Checkout) -> None:
    configured.fake("working_dir", "/elsewhere")
    configured.fake("fails", "smoke-test")

    done = configured.deploy()

    assert done.returncode == 1
    assert removals(configured) == []
    assert "fake was deployed from another folder meanwhile" in done.stderr


def test_a_later_deployment_that_fails_takes_nothing_away(deployed: Checkout) -> None:
    deployed.fake("recreate", "nginx")
    deployed.fake("fails", "smoke-test")

    assert deployed.deploy().returncode == 1
    assert removals(deployed) == []


def test_where_nothing_was_made_nothing_is_taken_away(configured: Checkout) -> None:
    configured.fake("fails", "build ")

    done = configured.deploy()

    assert done.returncode == 1
    assert "removed its containers" not in done.stderr
    assert removals(configured) == []
