"""What the command line's exit codes tell scripts."""

import argparse
from typing import Any

import pytest

from locust_fleet.cli import master_commands


@pytest.mark.parametrize(("failures", "code"), [(0, 0), (20, 3)])
def test_an_unfit_worker_has_another_exit_code_than_a_failed_question(
    monkeypatch: pytest.MonkeyPatch, failures: int, code: int
) -> None:
    worker = {"state": "running", "users": 1, "planned": 1, "requests": 20}
    new = {"id": "new_0123", **worker, "failures": failures}
    old = {"id": "old_0123", **worker, "failures": 0}
    fleet = {"state": "running", "users": 2, "worker_list": [old, new]}

    def ask(*_: object, **__: object) -> dict[str, Any]:
        return fleet

    monkeypatch.setattr(master_commands, "ask_master", ask)

    assert master_commands.try_worker(argparse.Namespace(host="new")) == code
