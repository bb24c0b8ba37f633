"""Containers can read what is mounted into them, whatever the umask of who cloned and deploys."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.scripts.conftest import Checkout

GOOD = ("--users", "5", "--spawn-rate", "1", "--run-time", "10s")


@pytest.fixture(autouse=True)
def hardened() -> Iterator[None]:
    """What a hardened server has for everybody."""
    before = os.umask(0o077)
    yield
    os.umask(before)


def hidden(folder: Path) -> list[str]:
    """What others cannot read."""
    paths = (folder, *folder.rglob("*"))
    wanted = {path: 0o005 if path.is_dir() else 0o004 for path in paths}
    return [str(path) for path, mode in wanted.items() if path.stat().st_mode & mode != mode]


def test_what_is_mounted_can_be_read_after_a_deployment(configured: Checkout) -> None:
    configured.hide()
    token = configured.folder / "secrets" / "scenario" / "token"
    token.parent.mkdir(parents=True)
    token.write_text("of a scenario")
    mounted = ("nginx", "conf", "locustfiles", "redis", "postgres", "prometheus", "alertmanager")
    exporters = ("redis-exporter", "postgres-exporter", "grafana", ".deploy/metrics")

    done = configured.deploy()

    assert done.returncode == 0, done.stderr
    for name in (*mounted, *exporters, "secrets/scenario"):
        assert hidden(configured.folder / name) == []


def test_secrets_stay_closed_to_everybody_but_containers(configured: Checkout) -> None:
    configured.hide()
    by_hand = configured.folder / "secrets" / "redis_password"
    by_hand.parent.mkdir()
    by_hand.write_text("of theirs")

    assert configured.deploy().returncode == 0

    assert by_hand.parent.stat().st_mode & 0o777 == 0o700
    assert by_hand.stat().st_mode & 0o004
    for name in (".env", ".deploy/scenario.env", ".deploy/deployed"):
        assert not (configured.folder / name).stat().st_mode & 0o007


def test_nothing_else_is_opened(configured: Checkout) -> None:
    configured.hide()

    assert configured.deploy().returncode == 0

    for path in (configured.folder, configured.folder / "scripts" / "deploy.sh"):
        assert not path.stat().st_mode & 0o077


def test_a_new_locustfile_can_be_read_when_it_is_run(deployed: Checkout) -> None:
    file = deployed.folder / "locustfiles" / "mine.py"
    file.write_text("from locust import User")
    assert not file.stat().st_mode & 0o004

    done = deployed.run("run_test.sh", *GOOD, "--locustfile", "mine.py")

    assert done.returncode == 0, done.stderr
    assert file.stat().st_mode & 0o004


def test_a_look_changes_no_mode(configured: Checkout) -> None:
    configured.hide()

    assert configured.deploy("--check").returncode == 0
    assert hidden(configured.folder / "conf")


def test_what_belongs_to_somebody_else_is_named_with_the_remedy(configured: Checkout) -> None:
    configured.hide()

    # The files are those of who runs the tests.
    problem = configured.call("hidden_problem", os.geteuid() + 1, "demo_shop.py")

    assert problem.startswith("containers cannot read alertmanager")
    assert "it is not yours; let its owner run: chmod -R a+rX alertmanager conf" in problem


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="gives files to somebody else")


@needs_root
def test_the_draft_of_somebody_else_is_in_nobodys_way(configured: Checkout) -> None:
    drafts = ("locustfiles/draft.py", "locustfiles/draft.csv")
    for name in drafts:
        (configured.folder / name).touch()

    done = configured.as_somebody("scripts/deploy.sh", "production", others=drafts)

    assert done.returncode == 0, done.stderr
    assert "warning: containers cannot read locustfiles/draft" in done.stderr
    assert "denied" not in done.stderr


@needs_root
@pytest.mark.parametrize("helper", ["helper.py", "users.csv"])
def test_what_the_scenario_needs_of_somebody_else_is_refused(
    configured: Checkout, helper: str
) -> None:
    (configured.folder / "locustfiles" / "mine.py").write_text('import helper; open("users.csv")')
    (configured.folder / "locustfiles" / helper).touch()
    configured.configure(LOCUSTFILE="mine.py")
    before = configured.state()

    done = configured.as_somebody(
        "scripts/deploy.sh", "production", others=(f"locustfiles/{helper}",)
    )

    assert done.returncode == 1
    assert f"containers cannot read locustfiles/{helper}, and it is not yours" in done.stderr
    assert configured.state() == before


@needs_root
@pytest.mark.parametrize(("name", "code"), [("conf/production.conf", 4), ("nginx/nginx.conf", 0)])
def test_a_run_asks_only_for_what_it_reads(deployed: Checkout, name: str, code: int) -> None:
    command = ("scripts/run_test.sh", *GOOD, "--locustfile", "demo_shop.py")

    done = deployed.as_somebody(*command, others=(name,))

    assert done.returncode == code, done.stderr


def test_a_disk_without_modes_is_named(configured: Checkout) -> None:
    configured.hide()
    configured.program("chmod", '[ "$1" != a+rX ] || exit 1; exec /bin/chmod "$@"')

    done = configured.deploy()

    assert done.returncode == 1
    assert "deploy from a disk that keeps modes, as the owner of the files" in done.stderr
    assert not [call for call in configured.calls() if " up " in call]


def test_going_back_leaves_the_checkout_its_mode(deployed: Checkout) -> None:
    deployed.folder.chmod(0o755)
    shutil.rmtree(deployed.folder / "nginx" / "pages")
    deployed.fake("fails", "smoke-test")
    deployed.fake("recreate", "nginx")

    done = deployed.deploy()

    assert "the former deployment runs again" in done.stderr
    assert deployed.folder.stat().st_mode & 0o777 == 0o755
