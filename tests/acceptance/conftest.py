"""Acceptance tests run on machines of their own and say at the end what was accepted."""

from pathlib import Path

import pytest
from _pytest.terminal import TerminalReporter

from tests.acceptance.table import commit_of, table


def pytest_terminal_summary(terminalreporter: TerminalReporter, config: pytest.Config) -> None:
    """Print the table."""
    reports = [
        report
        for of_one_kind in terminalreporter.stats.values()
        for report in of_one_kind
        if isinstance(report, pytest.TestReport)
    ]
    if reports:
        terminalreporter.section("acceptance")
        for line in table(reports, commit_of(Path(config.rootpath)).strip()):
            terminalreporter.write_line(line)
