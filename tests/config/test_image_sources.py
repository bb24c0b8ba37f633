"""Where third-party images come from: decided once, said in one line, no more built than needed."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import uuid
from pathlib import Path

import pytest
from tests.support.checkout import ROOT
from tests.support.stackfiles import settings

# A docker that knows the images in a file, and can neither pull nor build.
FAKE_DOCKER = """#!/bin/bash
echo "$*" >>"$0.calls"
case "$1 $2" in
  'image inspect')
    label=$(grep -F -- "${!#} " "$0.images") || exit 1
    [[ $* != *--format* ]] || echo "${label#* }"
    ;;
  *) exit 1 ;;
esac
"""

WITHOUT_PACKAGE = [f"GRAFANA_IMAGE={settings()['GRAFANA_IMAGE']}"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    shutil.copytree(ROOT / "images", tmp_path / "images")
    shutil.copy(ROOT / ".env.example", tmp_path)
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(FAKE_DOCKER)
    docker.chmod(0o755)
    docker.with_suffix(".images").touch()
    return tmp_path


def run(checkout: Path, code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    libraries = "source scripts/lib/common.sh; source scripts/lib/images.sh"
    return subprocess.run(
        ["bash", "-c", f"set -Eeuo pipefail; shopt -s inherit_errexit; {libraries}; {code}"],
        cwd=checkout,
        env={"PATH": f"{checkout}/bin:{os.environ['PATH']}", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def calls(checkout: Path) -> str:
    return (checkout / "bin" / "docker.calls").read_text()


def test_auto_keeps_the_packages_that_a_stack_runs_on_without_asking_a_registry(
    checkout: Path,
) -> None:
    deployed = checkout / ".deploy/deployed/.env"
    deployed.parent.mkdir(parents=True)
    deployed.write_text("NGINX_IMAGE=locust-fleet/nginx:packages\n")

    folders = " ".join(file.parent.name for file in checkout.glob("images/*/Dockerfile"))
    code = f'for f in {folders}; do echo "locust-fleet/$f:packages $(inputs_hash $f)"; done'
    (checkout / "bin" / "docker.images").write_text(run(checkout, code).stdout)

    done = run(checkout, "ensure_third_party_images auto")

    assert (done.stdout, done.stderr) == ("packages\n", "")
    assert "pull" not in calls(checkout)


# The engine's own words, as 26.1 says them, but for two.
AWAY = (
    'Error response from daemon: Get "https://registry-1.docker.io/v2/": dial tcp: lookup'
    " registry-1.docker.io on 127.0.0.11:53: no such host"
)
DROPPED = (
    'Error response from daemon: Get "https://registry-1.docker.io/v2/": context deadline exceeded'
)
UNKNOWN = "Error response from daemon: manifest for redis:9 not found: manifest unknown"
# 29 keeps images with containerd, whose words are these.
UNKNOWN_TO_29 = (
    'Error response from daemon: failed to resolve reference "docker.io/library/redis:9":'
    " docker.io/library/redis:9: not found"
)
DENIED = "Error response from daemon: pull access denied for redis, repository does not exist"
UNAUTHORIZED = "Error response from daemon: unauthorized: authentication required"
COUNTED = "Error response from daemon: toomanyrequests: You have reached your pull rate limit."
COUNTED_BY_STATUS = (
    "Error response from daemon: error parsing HTTP 429 response body: 429 Too Many Requests"
)
FULL = "failed to register layer: write /usr/lib/x: no space left on device"
NO_HELPER = (
    'error getting credentials - err: exec: "docker-credential-desktop": executable file not found'
    " in $PATH, out: ``"
)
NO_SOCKET = (
    "permission denied while trying to connect to the Docker daemon socket at"
    " unix:///var/run/docker.sock: connect: permission denied"
)
MUTE = "no word for 60 s"
BROKEN = "9: Pulling from library/redis\nunexpected EOF"

MISSING = "redis:9 is not in the registry"
LOGIN = "redis:9 is not in the registry, or is given only after 'docker login'"
LIMIT = "redis:9 is not given now: the registry counts too many pulls"
NOBODY = "no registry gives redis:9: "
BY_MIRROR = ", asked by way of http://mirror/"


@pytest.mark.parametrize(
    ("words", "answers", "mirrors", "said"),
    [
        (UNKNOWN, "unknown", "", MISSING),
        (UNKNOWN_TO_29, "unknown", "", MISSING),
        (DENIED, "yes", "", LOGIN),
        (COUNTED, "yes", "", LIMIT),
        (COUNTED_BY_STATUS, "unknown", "", LIMIT),
        (FULL, "yes", "", "redis:9 does not fit on the engine's disk: failed to register layer"),
        (AWAY, "unknown", "", f"{NOBODY}Get"),
        (AWAY, "yes", "", f"{NOBODY}Get"),
        (NO_HELPER, "yes", "", f"{NOBODY}error getting credentials"),
        (NO_SOCKET, "unknown", "", f"{NOBODY}permission denied while trying"),
        (AWAY, "no", "http://mirror/", f"no registry gives redis:9{BY_MIRROR}: Get"),
        (AWAY, "yes", "http://mirror/", f"{MISSING}{BY_MIRROR}"),
        (DROPPED, "yes", "http://mirror/", f"{MISSING}{BY_MIRROR}"),
        (COUNTED, "yes", "http://mirror/", LIMIT),
        (UNAUTHORIZED, "yes", "http://mirror/", f"{MISSING}{BY_MIRROR}, or is given only after"),
        (FULL, "yes", "http://mirror/", "redis:9 does not fit on the engine's disk"),
        (NO_HELPER, "yes", "http://mirror/", f"no registry gives redis:9{BY_MIRROR}: error"),
        (MUTE, "yes", "http://mirror/", f"no registry gives redis:9{BY_MIRROR}: no word"),
        (BROKEN, "yes", "http://mirror/", f"no registry gives redis:9{BY_MIRROR}: unexpected"),
    ],
)
def test_image_that_cannot_be_had_is_named_with_the_reason(
    checkout: Path, words: str, answers: str, mirrors: str, said: str
) -> None:
    words, mirrors = shlex.quote(words), shlex.quote(mirrors)
    code = (
        f"verdict=$(pull_verdict {words} {answers} {mirrors})\n"
        f"pull_failure redis:9 $verdict {words} {mirrors}"
    )

    assert run(checkout, code).stdout.startswith(said)


@pytest.mark.parametrize(
    ("words", "answers", "mirrors", "needed", "attempts"),
    [
        (UNKNOWN, "yes", "", "yes", 1),
        (DENIED, "yes", "", "yes", 1),
        (COUNTED_BY_STATUS, "yes", "", "yes", 1),
        (FULL, "yes", "", "yes", 1),
        (MUTE, "yes", "", "yes", 1),
        (BROKEN, "yes", "", "yes", 1),
        (AWAY, "yes", "", "yes", 3),
        (AWAY, "no", "http://mirror/", "yes", 3),
        (AWAY, "unknown", "", "yes", 2),
        (AWAY, "yes", "http://mirror/", "yes", 3),
        (AWAY, "yes", "http://mirror/", "no", 1),
    ],
)
def test_image_is_asked_for_again_only_where_that_may_help(
    checkout: Path, words: str, answers: str, mirrors: str, needed: str, attempts: int
) -> None:
    code = (
        f"verdict=$(pull_verdict {shlex.quote(words)} {answers} {shlex.quote(mirrors)})\n"
        f"attempts_for $verdict {answers} {needed}"
    )

    assert run(checkout, code).stdout == f"{attempts}\n"


def test_unknown_source_is_refused_with_what_there_is(checkout: Path) -> None:
    done = run(checkout, "ensure_third_party_images docker")

    assert done.returncode == 2
    assert "IMAGE_SOURCE is 'docker'; use auto, registry or packages" in done.stderr


def test_images_of_the_registry_are_those_of_the_example(checkout: Path) -> None:
    example = (checkout / ".env.example").read_text()

    images = run(checkout, "third_party_images registry").stdout.splitlines()

    assert len(images) >= 4
    assert set(images) <= set(example.splitlines())


def test_images_from_packages_are_named_for_what_they_are(checkout: Path) -> None:
    images = run(checkout, "third_party_images packages").stdout.splitlines()

    assert "NGINX_IMAGE=locust-fleet/nginx:packages" in images
    assert all(image.endswith(":packages") for image in images if image not in WITHOUT_PACKAGE)


def test_every_third_party_image_but_grafana_can_be_built_from_packages(checkout: Path) -> None:
    images = run(checkout, "third_party_images packages").stdout.splitlines()

    for image in images:
        if image in WITHOUT_PACKAGE:
            continue
        name = image.partition("/")[2].removesuffix(":packages")
        assert (checkout / "images" / name / "Dockerfile").is_file()


def test_what_an_image_takes_from_its_folder_has_a_mode_of_its_own(checkout: Path) -> None:
    """In a clone made under umask 077 nobody but root could read it."""
    copies = [
        line
        for file in checkout.glob("images/*/Dockerfile")
        for line in re.findall(r"(?m)^COPY (?!--from=).*$", file.read_text())
    ]

    assert copies
    assert [line for line in copies if " --chmod=" not in line] == []


def test_images_of_the_monitoring_are_not_needed_without_it(checkout: Path) -> None:
    (checkout / ".env").write_text("MONITORING_ENABLED=false\n")

    images = run(checkout, "needed_images registry").stdout

    assert "NGINX_IMAGE=" in images
    assert "PYTHON_IMAGE=" in images
    assert not re.search("(?m)^(PROMETHEUS|ALERTMANAGER|GRAFANA|.*EXPORTER)_IMAGE=", images)


def test_image_is_current_until_what_it_is_made_from_changes(checkout: Path) -> None:
    label = run(checkout, "inputs_hash redis").stdout.strip()
    (checkout / "bin" / "docker.images").write_text(f"locust-fleet/redis:packages {label}\n")
    before = run(checkout, "image_is_current redis").returncode

    (checkout / "images" / "redis" / "Dockerfile").write_text("FROM scratch\n")

    assert (before, run(checkout, "image_is_current redis || exit 9").returncode) == (0, 9)


def test_change_of_one_image_leaves_the_others_current(checkout: Path) -> None:
    before = run(checkout, "inputs_hash postgres").stdout

    (checkout / "images" / "redis" / "Dockerfile").write_text("FROM scratch\n")

    assert run(checkout, "inputs_hash postgres").stdout == before


def test_builds_are_told_the_proxies_that_are_set_and_no_others(checkout: Path) -> None:
    run(checkout, "run_build some:image .", https_proxy="http://proxy.test:3128", no_proxy="")

    assert re.findall(r"--build-arg (\S+)", calls(checkout)) == ["https_proxy"]


@pytest.mark.docker
def test_builds_use_the_proxy_of_the_clients_own_configuration(tmp_path: Path) -> None:
    proxy, image = "http://proxy.test:3128", f"locust-fleet/proxied:{uuid.uuid4().hex[:8]}"
    (tmp_path / "config.json").write_text(
        json.dumps({"proxies": {"default": {"httpProxy": proxy}}})
    )
    (tmp_path / "Dockerfile").write_text(
        f'FROM locust-fleet/base:packages\nRUN [ "$http_proxy" = {proxy} ] || exit 9\n'
    )

    try:
        done = run(ROOT, f"run_build {image} {tmp_path}", DOCKER_CONFIG=str(tmp_path))
    finally:
        subprocess.run(["docker", "image", "rm", image], capture_output=True, check=False)

    assert done.returncode == 0, done.stderr
