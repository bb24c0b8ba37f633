"""Where third-party images come from: decided once, said in one line, no more built than needed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.config.stackfiles import ROOT, settings

# A docker that knows the images in a file, and a registry if there is a file of that name.
FAKE_DOCKER = """#!/bin/bash
echo "$*" >>"$0.calls"
case "$1 $2" in
  'manifest inspect' | 'pull --quiet') [[ -e $0.registry ]] ;;
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


def run(checkout: Path, code: str) -> subprocess.CompletedProcess[str]:
    libraries = "source scripts/lib/common.sh; source scripts/lib/images.sh"
    return subprocess.run(
        ["bash", "-c", f"set -Eeuo pipefail; shopt -s inherit_errexit; {libraries}; {code}"],
        cwd=checkout,
        env={"PATH": f"{checkout}/bin:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )


def calls(checkout: Path) -> str:
    return (checkout / "bin" / "docker.calls").read_text()


def test_auto_takes_packages_when_no_registry_answers_and_says_so_once(checkout: Path) -> None:
    done = run(checkout, "resolve_image_source auto")

    assert done.stdout == "packages\n"
    assert done.stderr.count("\n") == 1
    assert "no container registry answers" in done.stderr


def test_auto_takes_the_registry_when_it_answers(checkout: Path) -> None:
    (checkout / "bin" / "docker.registry").touch()

    done = run(checkout, "resolve_image_source auto")

    assert (done.stdout, done.stderr) == ("registry\n", "")


@pytest.mark.parametrize(
    ("image", "source"), [("nginx:1.30.5", "registry"), ("locust-fleet/nginx:packages", "packages")]
)
def test_auto_keeps_what_is_in_use_without_asking_anybody(
    checkout: Path, image: str, source: str
) -> None:
    (checkout / ".env").write_text(f"NGINX_IMAGE={image}\n")
    (checkout / "bin" / "docker.images").write_text(f"{image} \n")

    done = run(checkout, "resolve_image_source auto")

    assert done.stdout == f"{source}\n"
    assert "pull" not in calls(checkout)


@pytest.mark.parametrize("source", ["registry", "packages"])
def test_source_that_is_asked_for_is_taken(checkout: Path, source: str) -> None:
    assert run(checkout, f"resolve_image_source {source}").stdout == f"{source}\n"


def test_unknown_source_is_refused_with_what_there_is(checkout: Path) -> None:
    done = run(checkout, "resolve_image_source docker")

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


def test_image_that_is_there_is_not_pulled_again(checkout: Path) -> None:
    images = run(checkout, "third_party_images registry").stdout.splitlines()
    known = "".join(f"{line.partition('=')[2]} \n" for line in images)
    (checkout / "bin" / "docker.images").write_text(known)

    assert run(checkout, "ensure_third_party_images registry").returncode == 0
    assert "pull" not in calls(checkout)


def test_image_that_cannot_be_pulled_is_named_with_a_remedy(checkout: Path) -> None:
    done = run(checkout, "ensure_third_party_images registry")

    assert done.returncode == 1
    assert "nginx:" in done.stderr
    assert "IMAGE_SOURCE=packages" in done.stderr


def test_grafana_that_cannot_be_pulled_stops_nothing(checkout: Path) -> None:
    images = run(checkout, "third_party_images registry").stdout.splitlines()
    known = "".join(f"{line.partition('=')[2]} \n" for line in images if "GRAFANA" not in line)
    (checkout / "bin" / "docker.images").write_text(known)

    assert run(checkout, "ensure_third_party_images registry").returncode == 0
    assert "pull --quiet grafana/" in calls(checkout)


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
