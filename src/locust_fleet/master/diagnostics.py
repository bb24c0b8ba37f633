"""Findings for the operator of this stack, such as a locustfile that does not import.

A one-off container checks the locustfile and writes its finding to the spool volume. The master
writes findings to its log, which Locust's UI shows, and gives them to the console.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

FILE = "locustfile.problem"

logger = logging.getLogger(__name__)


class Diagnostics:
    """Collects the present findings of all parts."""

    def __init__(self, folder: Path, *others: Callable[[], list[str]]) -> None:
        self._file = folder / FILE
        self._others = others
        self._logged = ""

    def current(self) -> list[str]:
        """Return the present findings, one line each."""
        return [finding for find in (self._in_file, *self._others) for finding in find()]

    def _in_file(self) -> list[str]:
        try:
            text = self._file.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return []
        return [text] if text else []

    def log_changes(self) -> None:
        """Log the findings when they differ from those logged last."""
        text = "; ".join(self.current())
        if text and text != self._logged:
            logger.error("%s", text)
        self._logged = text


def note(folder: Path, finding: str | None) -> None:
    """Write a finding for the master to the spool volume, or remove it (None)."""
    file = folder / FILE
    if finding is None:
        file.unlink(missing_ok=True)
    else:
        file.write_text(finding, encoding="utf-8")
