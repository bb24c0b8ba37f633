"""A script does the same from wherever, by whatever name and in whatever shell it is called."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.scripts.conftest import Checkout
from tests.support.checkout import ROOT

SCRIPTS = sorted(file.name for file in (ROOT / "scripts").glob("*.sh"))


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


def called(checkout: Checkout, folder: Path, *command: str, **env: str) -> str:
    """Call a command in a folder; returns what it prints."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**checkout.env(), **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_is_the_same_by_every_way_to_it(
    checkout: Checkout, elsewhere: Path, script: str
) -> None:
    path = checkout.folder / "scripts" / script
    plain = called(checkout, checkout.folder, str(path), "--help")
    absolute, relative, chain = (elsewhere / name for name in ("absolute", "relative", "chain"))
    absolute.symlink_to(path)
    relative.symlink_to(os.path.relpath(path, elsewhere))
    chain.symlink_to(relative.name)

    ways = [
        called(checkout, elsewhere, str(absolute), "--help"),
        called(checkout, elsewhere, "./relative", "--help"),
        called(checkout, elsewhere, "bash", "chain", "--help"),
        called(checkout, elsewhere, "chain", "--help", PATH=f"{elsewhere}:{os.environ['PATH']}"),
        called(checkout, path.parent, f"./{script}", "--help"),
        called(checkout, path.parent, "bash", script, "--help"),
    ]

    assert f"scripts/{script}" in plain
    assert ways == [plain] * len(ways)


def test_the_checkout_is_where_compose_sees_it(checkout: Checkout, elsewhere: Path) -> None:
    """Compose takes the same folder by another way for another one, and recreates everything."""
    script = checkout.folder / "scripts" / "where.sh"
    head = (checkout.folder / "scripts" / "stop.sh").read_text().partition("/lib/common.sh")
    script.write_text(f'{head[0]}{head[1]}"\necho "$root"\n')
    script.chmod(0o755)
    linked, command, chain = (elsewhere / name for name in ("linked", "command", "chain"))
    linked.symlink_to(checkout.folder)
    command.symlink_to("linked/scripts/where.sh")
    chain.symlink_to(command)

    assert called(checkout, checkout.folder, "scripts/where.sh") == f"{checkout.folder}\n"
    for ways in (
        called(checkout, elsewhere, "linked/scripts/where.sh"),
        called(checkout, elsewhere, "bash", "linked/scripts/where.sh", CDPATH=str(checkout.bin)),
        called(checkout, elsewhere, "./command"),
        called(checkout, checkout.folder, str(chain)),
    ):
        assert ways == f"{linked}\n"


def test_what_a_shell_sets_for_itself_does_not_matter(configured: Checkout) -> None:
    shell = {
        "CDPATH": "/usr:.",
        "GREP_OPTIONS": "--line-number",
        "POSIXLY_CORRECT": "1",
        "TMPDIR": "/nowhere",
        "GIT_DIR": "/nowhere",
        "COMPOSE_PROGRESS": "json",
    }

    done = configured.run("deploy.sh", "production", **shell)

    assert done.returncode == 0, done.stderr
    assert "/nowhere" not in done.stderr


def test_a_home_is_not_needed(configured: Checkout) -> None:
    deploy = str(configured.folder / "scripts" / "deploy.sh")
    done = subprocess.run(
        ["env", "--unset=HOME", deploy, "production"],
        env=configured.env(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_no_variable_of_the_shell_reaches_compose(configured: Checkout) -> None:
    seen = configured.docker / "seen"
    wrapped = (configured.bin / "docker").read_text().splitlines()[1]
    configured.program("docker", f"env >>{seen}\n{wrapped}")

    done = configured.run(
        "deploy.sh",
        "production",
        COMPOSE_PATH_SEPARATOR=";",
        COMPOSE_PROFILES="none",
        BUILDX_BUILDER="other",
        HTTPS_PORT="99999",
    )

    assert done.returncode == 0, done.stderr
    names = {line.partition("=")[0] for line in seen.read_text().splitlines()}
    assert "FAKE_DOCKER" in names
    assert not [name for name in names if name.startswith("COMPOSE_")]
    assert not names & {"BUILDX_BUILDER", "HTTPS_PORT"}


def test_a_checkout_may_have_any_name_that_docker_can_mount(
    configured: Checkout, tmp_path: Path
) -> None:
    folder = tmp_path / "it's 测试 $HOME & more"
    configured.folder.rename(folder)
    configured.folder = folder

    done = configured.deploy()
    assert done.returncode == 0, done.stderr

    (folder / "locustfiles" / "demo_shop.py").write_text("wrong")
    configured.fake("fails", "check-locustfile")
    done = configured.run(
        "run_test.sh",
        *("--users", "5", "--spawn-rate", "1", "--run-time", "10s"),
        *("--locustfile", "demo_shop.py"),
    )

    assert done.returncode == 2
    assert "demo_shop.py cannot be used; nothing was changed" in done.stderr
    assert not (folder / ".deploy" / "run_test.env").exists()
