"""The lock files hold what pyproject.toml asks for: exact, hashed, from no particular index."""

from __future__ import annotations

import re
import tomllib

import pytest
from tests.support.checkout import ROOT

LOCKS = sorted({*ROOT.glob("requirements-*.txt")} - {ROOT / "requirements-scenarios.txt"})
EACH_LOCK = pytest.mark.parametrize("name", [path.name for path in LOCKS])


def locked(name: str) -> dict[str, str]:
    """Return the packages of a lock file with their versions."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return dict(re.findall(r"(?m)^([a-z0-9._-]+)==([^ ;]+)", text))


def asked_for(extra: str) -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    requirements = project["optional-dependencies"][extra]
    names = {re.split(r"[\[<>=; ]", requirement)[0] for requirement in requirements}
    return names - {project["name"]}


@EACH_LOCK
def test_lock_file_names_no_index(name: str) -> None:
    assert not re.search(r"://|--index|--find-links|--extra", (ROOT / name).read_text("utf-8"))


@EACH_LOCK
def test_every_locked_package_has_a_hash(name: str) -> None:
    entries = re.split(r"(?m)^(?=[a-z0-9])", (ROOT / name).read_text(encoding="utf-8"))[1:]

    assert all("--hash=sha256:" in entry for entry in entries)


@pytest.mark.parametrize("extra", ["locust", "console", "test"])
def test_lock_file_holds_what_is_asked_for(extra: str) -> None:
    assert asked_for(extra) <= set(locked(f"requirements-{extra}.txt"))


@pytest.mark.parametrize("extra", ["locust", "console"])
def test_tests_run_against_the_versions_of_the_images(extra: str) -> None:
    assert locked(f"requirements-{extra}.txt").items() <= locked("requirements-test.txt").items()


def test_console_image_does_without_locust() -> None:
    assert "locust" not in locked("requirements-console.txt")
