"""What .env.example offers is what the stack reads, with the defaults it has there."""

from __future__ import annotations

import re

import pytest
from tests.support.checkout import ROOT
from tests.support.stackfiles import ENV_EXAMPLE, MARK, raw_compose, references, settings

# Read by Docker Compose itself.
OF_COMPOSE = {"COMPOSE_FILE", "COMPOSE_PROFILES", "COMPOSE_PROJECT_NAME"}
SCRIPTS = sorted([*ROOT.glob("scripts/*.sh"), *ROOT.glob("scripts/lib/*.sh")])


def code_of_scripts() -> str:
    """Return all scripts in one text, without the lines that are comments."""
    return "\n".join(
        line
        for path in SCRIPTS
        for line in path.read_text(encoding="utf-8").splitlines()
        if not line.lstrip().startswith("#")
    )


def words_of_scripts() -> set[str]:
    return set(re.findall(r"\b[A-Z][A-Z0-9_]{2,}\b", code_of_scripts()))


def names_in_settings() -> set[str]:
    files = (ROOT / "src/locust_fleet/settings").glob("*.py")
    source = "".join(file.read_text(encoding="utf-8") for file in files)
    return set(re.findall(r'"([A-Z][A-Z0-9_]+)"', source))


@pytest.mark.parametrize("name", sorted(references()))
def test_variable_of_the_compose_file_is_in_the_example_with_the_same_default(name: str) -> None:
    assert references()[name] == {settings().get(name, "missing in .env.example")}


@pytest.mark.parametrize("name", sorted(settings()))
def test_setting_of_the_example_is_read(name: str) -> None:
    assert name in {*references(), *OF_COMPOSE, *words_of_scripts()}


@pytest.mark.parametrize("name", sorted(names_in_settings() & set(settings())))
def test_setting_that_our_processes_read_reaches_a_container(name: str) -> None:
    environment = {
        key
        for service in raw_compose()["services"].values()
        for key in service.get("environment", {})
    }

    assert {name, f"{name}_FILE"} & environment


def test_nothing_in_a_container_is_called_as_a_setting_and_means_another() -> None:
    wrong = [
        f"{service}: {key}: {value}"
        for service, definition in raw_compose()["services"].items()
        for key, value in definition.get("environment", {}).items()
        if key in settings() and not value.startswith("${" + key)
    ]

    assert not wrong


def test_no_setting_stands_twice() -> None:
    lines = ENV_EXAMPLE.read_text(encoding="utf-8").splitlines()
    names = [line.partition("=")[0] for line in lines if line and not line.startswith("#")]

    assert len(names) == len(set(names))


def test_every_group_of_settings_is_explained() -> None:
    above, below = ENV_EXAMPLE.read_text(encoding="utf-8").split(MARK)
    blocks = re.split(r"(?m)^# --- .* ---$", above)[1:]

    assert all(block.strip().startswith("#") for block in blocks)
    assert "#" not in below


def test_setting_that_a_script_reads_is_in_the_example() -> None:
    names = r"\b(?:setting|image_setting|env_get \S+) ([A-Z][A-Z0-9_]+)"
    read = re.findall(names, code_of_scripts())

    assert set(read) <= set(settings())


def test_images_are_named_without_the_address_of_a_registry() -> None:
    images = [value for name, value in settings().items() if name.endswith("_IMAGE")]

    assert not [image for image in images if "." in image.partition(":")[0]]
