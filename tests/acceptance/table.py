"""What was accepted, a line a part: result, seconds, and the commit that was tried."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

# From bad to good: a test that passed may fail while it cleans up.
RESULTS = ("failed", "skipped", "passed")


def table(reports: Iterable[pytest.TestReport], commit: str) -> list[str]:
    """Return the lines of the table; a part has a report for each of its phases."""
    parts: dict[str, tuple[str, float]] = {}
    for report in reports:
        result, seconds = parts.get(report.nodeid, ("passed", 0.0))
        worse = min(result, report.outcome, key=RESULTS.index)
        parts[report.nodeid] = (worse, seconds + report.duration)
    # A parameter may hold a path as well.
    names = [nodeid.removeprefix("tests/acceptance/") for nodeid in parts]
    width = max(map(len, ["part", *names]))
    rows = [("part", "result", "seconds", "commit")]
    rows += [
        (name, result, f"{seconds:.0f}", commit)
        for name, (result, seconds) in zip(names, parts.values(), strict=True)
    ]
    return [
        f"{name:{width}}  {result:7}  {seconds:>7}  {end}" for name, result, seconds, end in rows
    ]


def commit_of(checkout: Path) -> str:
    """Return the commit, with a mark if the checkout holds something else."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    return subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True).stdout
