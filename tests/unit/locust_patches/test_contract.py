"""What we replace or override of the libraries is listed, with the reason, and is as we know it."""

from locust.runners import Runner  # Locust comes first.

import ast
import importlib
import inspect
import os
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import fleet_http
import locust_fleet
from locust_fleet.locust_patches.contract import CONTRACT
from locust_fleet.locust_patches.upstream import Upstream, changed, digest_of, source_of

SRC = Path(__file__).parents[3] / "src"
# Only the console image has what these need, and they know nothing of Locust.
WITHOUT_LOCUST = ("locust_fleet.console", "locust_fleet.notify", "locust_fleet.cli")
# What is replaced by a name, where another piece of source is what ours depends on.
READ_INSTEAD = {"WorkerRunner": "create_worker_runner"}


def listed(ours: str) -> set[str]:
    """Return the last part of each name that is listed for a module."""
    return {
        entry.name.replace(":", ".").rpartition(".")[2] for entry in CONTRACT if entry.ours == ours
    }


def replaced() -> Iterator[tuple[str, str]]:
    """Yield the module and the attribute of each call of ``patch.replace``."""
    for file in sorted(SRC.rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        if "locust_patches.patch import replace" not in file.read_text(encoding="utf-8"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "replace":
                name = node.args[1]
                attribute = name.value if isinstance(name, ast.Constant) else ast.unparse(name)
                yield str(file.relative_to(SRC)), str(attribute)


def overridden() -> Iterator[tuple[str, str]]:
    """Yield the module and the upstream name of each method that a class of ours overrides."""
    for package in (fleet_http, locust_fleet):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if found.name.startswith(WITHOUT_LOCUST):
                continue
            module = importlib.import_module(found.name)
            for _, kind in inspect.getmembers(module, inspect.isclass):
                if kind.__module__ == found.name:
                    yield from overridden_by(kind)


def overridden_by(kind: type) -> Iterator[tuple[str, str]]:
    module = kind.__module__.replace(".", "/") + ".py"
    upstream = [base for base in kind.__mro__ if base.__module__.startswith("locust.")]
    for name, value in vars(kind).items():
        if inspect.isfunction(value) or isinstance(value, property):
            base = next((base for base in upstream if name in vars(base)), None)
            if base:
                yield module, f"{base.__module__}:{base.__qualname__}.{name}"


def test_no_library_has_changed_what_ours_was_written_for() -> None:
    # In a process of its own: other tests of this one may have replaced something.
    done = subprocess.run(
        [sys.executable, "-m", "locust_fleet.locust_patches.contract"],
        env={**os.environ, "PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("ours", "attribute"), sorted(set(replaced())))
def test_each_replaced_attribute_is_listed(ours: str, attribute: str) -> None:
    assert READ_INSTEAD.get(attribute, attribute) in listed(ours)


@pytest.mark.parametrize(("ours", "name"), sorted(set(overridden())))
def test_each_overridden_method_is_listed(ours: str, name: str) -> None:
    assert (ours, name) in {(entry.ours, entry.name) for entry in CONTRACT}


@pytest.mark.parametrize("entry", CONTRACT, ids=lambda entry: entry.name)
def test_each_entry_has_a_reason_and_a_module(entry: Upstream) -> None:
    assert entry.why
    assert (SRC / entry.ours).is_file()


def test_a_change_is_found() -> None:
    name = "locust.runners:Runner.update_state"
    assert inspect.getsource(Runner.update_state) == source_of(name)
    entry = Upstream(name, "", "", digest_of(name))
    other = Upstream(name, "", "", "000000000000")
    gone = Upstream("locust.runners:Runner.no_such_method", "", "", "000000000000")

    assert changed([entry, other, gone]) == [other, gone]
