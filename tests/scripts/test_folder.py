"""What is wrong with the folder, the clock or the engine is said before anything is changed."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.scripts.conftest import Checkout
from tests.support.checkout import ROOT

NEXT_YEAR = 365 * 86400


def test_a_colon_in_the_path_is_named(configured: Checkout, tmp_path: Path) -> None:
    folder = tmp_path / "at 12:30"
    configured.folder.rename(folder)
    configured.folder = folder
    before = configured.state()

    done = configured.deploy()

    assert done.returncode == 1
    assert f"{folder} has a colon in its path" in done.stderr
    assert configured.state() == before


ALONE = ("unshare", "--map-root-user", "--mount")


@pytest.fixture
def may_mount() -> None:
    """Skip where a user may not, as on Ubuntu 24.04; fail where root in CI may not."""
    done = subprocess.run([*ALONE, "true"], capture_output=True, text=True, check=False)
    if done.returncode and os.environ.get("CI") and os.geteuid() == 0:
        pytest.fail(done.stderr)
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr}")


def mounted(checkout: Checkout, mount: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Deploy where something is mounted that nobody else sees."""
    script = f'{mount} && exec "$0/scripts/deploy.sh" production'
    return subprocess.run(
        [*ALONE, "sh", "-c", script, str(checkout.folder)],
        env={**checkout.env(), **env},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.usefixtures("may_mount")
def test_a_folder_that_cannot_be_written_is_named(configured: Checkout) -> None:
    mount = 'mount --bind "$0" "$0" && mount --options remount,bind,ro "$0"'

    done = mounted(configured, mount)

    assert done.returncode == 1
    assert f"{configured.folder} cannot be written" in done.stderr
    assert "nothing was changed" in done.stderr


@pytest.mark.usefixtures("may_mount")
def test_temporary_files_need_not_be_run(configured: Checkout, tmp_path: Path) -> None:
    mount = f"mount --types tmpfs --options noexec tmpfs {configured.docker}"
    (tmp_path / "fake").mkdir()

    done = mounted(
        configured, mount, TMPDIR=str(configured.docker), FAKE_DOCKER=str(tmp_path / "fake")
    )

    assert done.returncode == 0, done.stderr


def test_a_full_disk_leaves_the_settings_as_they_were(configured: Checkout) -> None:
    file = configured.folder / ".env"
    before = file.read_bytes()

    # No file may be larger than a block; in a condition, errexit is off.
    full = 'trap "" XFSZ; ulimit -f 1; if env_set .env VERSION v2 2>/dev/null; then echo done; fi'

    assert configured.call("eval", full) == ""
    assert file.read_bytes() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a folder to somebody else")
def test_who_deploys_after_somebody_else_is_told(deployed: Checkout) -> None:
    deployed.folder.chmod(0o711)
    os.chown(deployed.folder, 65534, 65534)

    script = str(deployed.folder / "scripts" / "deploy.sh")
    done = subprocess.run(
        ["setpriv", "--reuid=65534", "--clear-groups", script, "production", "--check"],
        env=deployed.env(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert " belongs to root, who deployed from here; deploy as that user" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a folder to somebody else")
@pytest.mark.parametrize("mode", [0o400, 0o440])
def test_settings_that_nobody_may_write_are_used_and_stay_so(deployed: Checkout, mode: int) -> None:
    file = deployed.folder / ".env"
    for path in (file, deployed.folder / ".deploy" / "deployed" / ".env"):
        path.chmod(mode)
    before = file.read_bytes()
    deployed.fake("recreate", "nginx")
    deployed.fake("fails", "smoke-test")

    done = deployed.as_somebody("scripts/deploy.sh", "production")

    assert "the former deployment runs again" in done.stderr
    assert "denied" not in done.stderr
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (before, mode)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a folder to somebody else")
@pytest.mark.parametrize(("name", "mode"), [(".env", 0), (".deploy", 0o500), ("secrets", 0o500)])
def test_what_a_mode_takes_from_its_owner_is_told(deployed: Checkout, name: str, mode: int) -> None:
    (deployed.folder / name).chmod(mode)

    done = deployed.as_somebody("scripts/deploy.sh", "production")

    assert done.returncode == 1
    assert f"{name} is yours, but its mode does not let you use it" in done.stderr


@pytest.mark.parametrize(("now", "told"), [(0, True), (NEXT_YEAR, True), (2 * NEXT_YEAR, False)])
def test_a_clock_before_the_version_was_made_is_told(
    checkout: Checkout, now: int, told: bool
) -> None:
    words = checkout.call("eval", f"warn_about_clock {now} {2 * NEXT_YEAR - 3600} 2>&1")

    assert ("set the clock" in words) is told


@pytest.mark.parametrize(
    ("ipv4", "ipv6", "told"),
    [
        ("eth0 00000000 010200C0", f"{'0' * 32} 00 {'0' * 32} 00 x y z eth0", False),
        ("docker0 000011AC 00000000", f"{'0' * 32} 00 {'0' * 32} 00 x y z eth0", True),
        ("docker0 000011AC 00000000", f"{'0' * 32} 00 {'0' * 32} 00 x y z lo", False),
    ],
)
def test_a_machine_with_ipv6_alone_is_told(
    checkout: Checkout, tmp_path: Path, ipv4: str, ipv6: str, told: bool
) -> None:
    (tmp_path / "route").write_text(f"Iface Destination Gateway\n{ipv4}\n")
    (tmp_path / "ipv6_route").write_text(f"{ipv6}\n")

    call = f"warn_about_way_out {tmp_path}/route {tmp_path}/ipv6_route 2>&1"
    assert ("by IPv6 only" in checkout.call("eval", call)) is told


def test_a_machine_without_ipv6_is_not_told_of_its_tables(
    checkout: Checkout, tmp_path: Path
) -> None:
    (tmp_path / "route").write_text("Iface Destination Gateway\ndocker0 000011AC 00000000\n")

    call = f"warn_about_way_out {tmp_path}/route {tmp_path}/ipv6_route 2>&1"
    assert checkout.call("eval", call) == ""


@pytest.mark.parametrize(
    ("name", "system", "data", "told"),
    [
        ("here", "Debian", "/nowhere", False),
        ("there", "Debian", "/", False),
        ("docker-desktop", "Docker Desktop", "/nowhere", False),
        ("there", "Debian", "/nowhere", True),
    ],
)
def test_a_socket_that_leads_to_another_machine_is_told(
    checkout: Checkout, name: str, system: str, data: str, told: bool
) -> None:
    problem = checkout.call("engine_machine_problem", name, system, data, "here")

    assert problem.startswith("the Docker engine runs on there, and this is here") is told


@pytest.mark.parametrize(
    ("data", "folder", "told"),
    [
        ("/var/lib/docker", "/opt/fleet", False),
        ("/var/snap/docker/common/var-lib-docker", "/home/jo/fleet", False),
        ("/var/snap/docker/common/var-lib-docker", "/opt/fleet", True),
    ],
)
def test_a_snap_that_does_not_see_the_folder_is_told(
    checkout: Checkout, data: str, folder: str, told: bool
) -> None:
    problem = checkout.call("engine_folder_problem", data, folder)

    assert problem.startswith(f"the Docker engine is a snap, which does not see {folder}") is told


def test_an_engine_without_limits_is_told(checkout: Checkout) -> None:
    assert checkout.call("engine_limits_problem", "true") == ""
    assert checkout.call("engine_limits_problem", "false").startswith(
        "the Docker engine cannot limit CPU"
    )


@pytest.mark.parametrize(
    ("security", "port", "told"),
    [
        ("[name=seccomp,profile=builtin]", "443", False),
        ("[name=seccomp,profile=builtin name=rootless]", "8443", False),
        ("[name=seccomp,profile=builtin name=rootless]", "443", True),
    ],
)
def test_an_engine_without_root_publishes_no_low_port(
    checkout: Checkout, security: str, port: str, told: bool
) -> None:
    checkout.configure(HTTPS_PORT=port)

    problem = checkout.call(
        "engine_port_problem", checkout.folder / ".env", security, 1024, "HTTPS_PORT"
    )

    assert ("use 1024 to 65535 (.env line" in problem) is told


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=test", "-c", "user.email=test@example.invalid")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True)


def test_without_git_the_version_is_unknown_and_the_rest_works(configured: Checkout) -> None:
    configured.program("git", "exit 127")

    done = configured.deploy()

    assert done.returncode == 0, done.stderr
    assert configured.setting("VERSION") == "unversioned"


def test_an_archive_within_a_clone_has_no_version(configured: Checkout) -> None:
    git(configured.folder.parent, "init", "-q")
    git(configured.folder.parent, "commit", "-q", "--allow-empty", "-m", "of another project")

    done = configured.deploy("--check")
    assert done.returncode == 0, done.stderr
    done = configured.deploy("HEAD")

    assert done.returncode == 2
    assert "this is not a Git clone, so version HEAD cannot be checked out" in done.stderr


def build(checkout: Checkout) -> str:
    """Build our images; returns the commit that they say they are of."""
    checkout.call("eval", "source scripts/lib/images.sh; build_our_images v1 python locust console")
    [*_, call] = checkout.calls()
    return call.partition("REVISION=")[2].split()[0]


def test_an_image_of_an_archive_within_a_clone_is_of_no_commit(configured: Checkout) -> None:
    git(configured.folder.parent, "init", "-q")
    git(configured.folder.parent, "commit", "-q", "--allow-empty", "-m", "of another project")

    assert build(configured) == "unknown"


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a clone to somebody else")
def test_a_clone_of_somebody_else_has_its_version(configured: Checkout) -> None:
    git(configured.folder, "init", "-q")
    git(configured.folder, "commit", "-q", "--allow-empty", "-m", "one")
    git(configured.folder, "tag", "v1")
    for path in (configured.folder, configured.folder / ".git"):
        os.chown(path, 65534, 65534)

    assert configured.call("checkout_version") == "v1"
    assert build(configured) == configured.call("commit_of", "v1")


def test_a_clone_has_line_ends_of_linux_whatever_git_would_like(tmp_path: Path) -> None:
    origin = tmp_path / "origin"
    origin.mkdir()
    for name in (".gitattributes", "scripts/stop.sh"):
        shutil.copy(ROOT / name, origin)
    git(origin, "init", "-q")
    git(origin, "add", "-A")
    git(origin, "commit", "-qm", "one")

    git(tmp_path, "-c", "core.autocrlf=true", "clone", "-q", "origin", "clone")

    assert b"\r" not in (tmp_path / "clone" / "stop.sh").read_bytes()
