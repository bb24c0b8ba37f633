"""What an operator should know about this stack, such as a locustfile that does not import.

A one-off container checks the locustfile and leaves its finding on the spool volume; the
master shows it in its log, which Locust's UI shows, and to the console.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

FILE = "locustfile.problem"

logger = logging.getLogger(__name__)


class Diagnostics:
    """The findings that still hold."""

    def __init__(self, folder: Path, *others: Callable[[], list[str]]) -> None:
        self._file = folder / FILE
        self._others = others
        self._logged = ""

    def current(self) -> list[str]:
        """Return the findings, each one line."""
        return [finding for find in (self._in_file, *self._others) for finding in find()]

    def _in_file(self) -> list[str]:
        try:
            text = self._file.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return []
        return [text] if text else []

    def log_changes(self) -> None:
        """Log a finding once, when it is there for the first time."""
        text = "; ".join(self.current())
        if text and text != self._logged:
            logger.error("%s", text)
        self._logged = text


def note(folder: Path, finding: str | None) -> None:
    """Leave a finding for the master, or take it back."""
    file = folder / FILE
    if finding is None:
        file.unlink(missing_ok=True)
    else:
        file.write_text(finding, encoding="utf-8")
