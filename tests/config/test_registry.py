"""A registry that has all images, lacks one, is slow or away: what is had, and what is said."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.checkout import ROOT
from tests.support.registry.engine import Engine, running_engine
from tests.support.registry.images import repository
from tests.support.registry.way import Faults
from tests.support.stackfiles import settings

pytestmark = pytest.mark.docker

OFFICIAL = {
    name: image
    for name, image in settings().items()
    if name.endswith("_IMAGE") and not image.startswith("locust-fleet/")
}
NGINX, REDIS = OFFICIAL["NGINX_IMAGE"], OFFICIAL["REDIS_IMAGE"]
PACKAGES = {
    f"locust-fleet/{name.removesuffix('_IMAGE').lower().replace('_', '-')}:packages"
    for name in OFFICIAL
    if name != "GRAFANA_IMAGE"
}
# Seconds that a user would wait, shortened; a busy machine takes some to answer.
BOUNDS = {"pull_answer_s=60": "pull_answer_s=10", "pull_pause_s=2": "pull_pause_s=0"}


@dataclass(frozen=True)
class Place:
    """A checkout, and an engine with a registry that has all images."""

    checkout: Path
    engine: Engine

    def bash(self, code: str) -> subprocess.CompletedProcess[str]:
        libraries = "source scripts/lib/common.sh; source scripts/lib/images.sh"
        return subprocess.run(
            ["bash", "-c", f"set -Eeuo pipefail; shopt -s inherit_errexit; {libraries}; {code}"],
            cwd=self.checkout,
            env={"PATH": os.environ["PATH"], "DOCKER_HOST": self.engine.host},
            capture_output=True,
            text=True,
            check=False,
        )

    def ensure(self, source: str) -> subprocess.CompletedProcess[str]:
        return self.bash(f"ensure_third_party_images {source}")

    def bound(self, bounds: dict[str, str]) -> None:
        library = self.checkout / "scripts/lib/registry.sh"
        code = library.read_text()
        for there, here in bounds.items():
            assert there in code
            code = code.replace(there, here)
        library.write_text(code)

    def pulled(self) -> set[str]:
        return self.engine.images() & set(OFFICIAL.values())

    def build_packages(self) -> None:
        """Have what building from packages would leave, so that nothing is to be built."""
        for image in sorted(PACKAGES - self.engine.images()):
            folder = image.removeprefix("locust-fleet/").removesuffix(":packages")
            label = self.bash(f"inputs_hash {folder}").stdout.strip()
            self.engine.docker(
                *("import", "--change", f"LABEL fleet.inputs={label}", "-", image),
                stdin=b"\0" * 10_240,
            )


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    folder = tmp_path_factory.mktemp("engine")
    with running_engine(folder, "none", "--bridge", "none") as engine:
        for image in OFFICIAL.values():
            engine.offer(image)
        yield engine


@pytest.fixture
def place(engine: Engine, tmp_path: Path) -> Iterator[Place]:
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    shutil.copytree(ROOT / "images", tmp_path / "images")
    shutil.copy(ROOT / ".env.example", tmp_path)
    place = Place(tmp_path, engine)
    place.bound(BOUNDS)
    place.build_packages()
    if pulled := place.pulled():
        engine.docker("image", "rm", "--force", *pulled)
    engine.heal_way()
    yield place
    engine.heal_way()


@pytest.fixture
def without_redis(place: Place) -> Iterator[Place]:
    place.engine.withdraw(REDIS)
    yield place
    place.engine.offer(REDIS)


@pytest.mark.parametrize("source", ["auto", "registry"])
def test_all_images_are_had_from_a_mirror_that_holds_nothing_else(
    place: Place, source: str
) -> None:
    done = place.ensure(source)

    assert (done.returncode, done.stdout) == (0, "registry\n"), done.stderr
    assert place.pulled() == set(OFFICIAL.values())
    assert "hello-world" not in place.engine.asked()


def test_images_that_are_there_are_not_asked_for_again(place: Place) -> None:
    place.ensure("registry")
    place.engine.heal_way()

    done = place.ensure("auto")

    assert (done.stdout, done.stderr) == ("registry\n", "")
    assert place.engine.asked() == ""


def test_image_that_the_registry_lacks_is_named_and_the_others_are_had(
    without_redis: Place,
) -> None:
    done = without_redis.ensure("registry")

    assert done.returncode == 1
    assert f"{REDIS} is not in the registry" in done.stderr
    assert "IMAGE_SOURCE=packages in .env" in done.stderr
    assert without_redis.pulled() == set(OFFICIAL.values()) - {REDIS}


def test_packages_take_the_place_of_all_where_the_registry_lacks_one(without_redis: Place) -> None:

    done = without_redis.ensure("auto")

    assert (done.returncode, done.stdout) == (0, "packages\n"), done.stderr
    assert f"{REDIS} is not in the registry" in done.stderr
    assert "building all third-party images from Debian's packages" in done.stderr


def test_second_try_is_not_trapped_by_what_the_first_one_pulled(without_redis: Place) -> None:
    without_redis.ensure("auto")
    shutil.copy(ROOT / ".env.example", without_redis.checkout / ".env")

    second = without_redis.ensure("auto")
    without_redis.engine.offer(REDIS)
    third = without_redis.ensure("auto")

    assert (second.stdout, third.stdout) == ("packages\n", "registry\n"), second.stderr
    assert f"{REDIS} is not in the registry" in second.stderr


def test_grafana_that_the_registry_lacks_stops_nothing_and_is_asked_for_once(place: Place) -> None:
    grafana = OFFICIAL["GRAFANA_IMAGE"]
    place.engine.withdraw(grafana)
    try:
        done = place.ensure("auto")
    finally:
        place.engine.offer(grafana)

    assert done.stdout == "registry\n"
    assert f"{grafana} is not in the registry" in done.stderr
    assert "asking again" not in done.stderr


def test_stack_that_runs_on_the_registry_is_not_moved_to_packages(without_redis: Place) -> None:
    deployed = without_redis.checkout / ".deploy/deployed"
    deployed.mkdir(parents=True)
    shutil.copy(ROOT / ".env.example", deployed / ".env")

    done = without_redis.ensure("auto")

    assert (done.returncode, done.stdout) == (1, "")
    assert f"{REDIS} is not in the registry" in done.stderr
    assert "this stack runs on images of the registry" in done.stderr


def test_slow_registry_is_waited_for(place: Place) -> None:
    place.engine.break_way(Faults(slow={repository(REDIS)[0]: 0.4}))

    assert place.ensure("registry").returncode == 0


def test_registry_without_a_word_is_given_up_and_named(place: Place) -> None:
    place.bound({"pull_answer_s=10": "pull_answer_s=3"})
    place.engine.break_way(Faults(slow={repository(REDIS)[0]: 60}))
    began = time.monotonic()

    done = place.ensure("registry")

    assert done.returncode == 1
    assert f"no registry gives {REDIS}" in done.stderr
    assert "no word for 3 s" in done.stderr
    assert time.monotonic() - began < 20


def test_registry_that_is_away_for_a_moment_is_asked_again(place: Place) -> None:
    place.ensure("registry")
    place.engine.docker("image", "rm", REDIS)
    place.engine.break_way(Faults(refusals=2))

    done = place.ensure("registry")

    assert done.returncode == 0, done.stderr
    assert "asking again" in done.stderr


def test_registry_that_is_away_for_a_moment_at_the_first_image_is_asked_again(place: Place) -> None:
    place.engine.break_way(Faults(refusals=1))

    done = place.ensure("auto")

    assert (done.returncode, done.stdout) == (0, "registry\n"), done.stderr
    assert "asking again" in done.stderr


def test_registry_that_goes_away_half_way_is_named_and_the_next_try_goes_on(place: Place) -> None:
    place.engine.break_way(Faults(breaks_at=repository(REDIS)[0]))

    first = place.ensure("registry")
    had = place.pulled()
    place.engine.heal_way()
    second = place.ensure("registry")

    assert first.returncode == 1
    assert f"no registry gives {REDIS}" in first.stderr
    assert had == {NGINX}
    assert (second.returncode, second.stdout) == (0, "registry\n"), second.stderr
    assert NGINX not in second.stderr
