"""An acceptance says of each part how it ended, how long it took and which commit it was."""

from typing import Literal

import pytest
from tests.acceptance.table import table


def report(
    part: str, when: Literal["setup", "call", "teardown"], ended: str, seconds: float
) -> pytest.TestReport:
    outcome: Literal["passed", "failed", "skipped"] = "failed" if ended == "failed" else "passed"
    return pytest.TestReport(
        f"tests/acceptance/{part}", (part, 1, part), {}, outcome, None, when, duration=seconds
    )


def test_a_line_for_each_part_has_the_seconds_of_all_its_phases() -> None:
    reports = [
        report("test_readme.py::deploy", "setup", "passed", 60),
        report("test_readme.py::deploy", "call", "passed", 240.6),
        report("test_readme.py::test", "call", "failed", 7),
    ]

    assert table(reports, "abc1234") == [
        "part                    result   seconds  commit",
        "test_readme.py::deploy  passed       301  abc1234",
        "test_readme.py::test    failed         7  abc1234",
    ]


@pytest.mark.parametrize("failing", ["setup", "call", "teardown"])
def test_a_part_failed_if_one_of_its_phases_did(
    failing: Literal["setup", "call", "teardown"],
) -> None:
    reports = [report("part", "setup", "passed", 1), report("part", failing, "failed", 1)]

    assert "failed" in table([*reports, report("part", "teardown", "passed", 1)], "abc")[1]


def test_a_part_keeps_a_path_in_its_parameter() -> None:
    lines = table([report("test_readme.py::needs[./scripts/test.sh]", "call", "passed", 1)], "abc")

    assert lines[1].startswith("test_readme.py::needs[./scripts/test.sh]  passed")
