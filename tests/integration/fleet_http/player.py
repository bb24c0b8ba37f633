"""A child process that has users of one kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.support.process import Helper

# No task takes as long, whatever a server does: beyond it, a user hangs.
TASK_S = 20.0


class Player:
    """Started with its first task; one that hangs is ended, and the next one begins anew."""

    def __init__(self, kind: str, log: Path) -> None:
        self.kind = kind
        self._log = log
        self._child: Helper | None = None

    def do(self, places: dict[str, Any], **task: Any) -> dict[str, Any]:
        """Return the outcome of a task; see ``child.py``."""
        # Only one that answers is asked again.
        child, self._child = self._child or self._start(), None
        child.say({"places": places, **task})
        outcome = dict(child.hear(str(task), TASK_S))
        self._child = child
        return outcome

    def _start(self) -> Helper:
        child = Helper("tests.integration.fleet_http.child", self.kind, log=self._log)
        child.hear()
        return child

    def log(self) -> str:
        """Return what it wrote of its own."""
        return self._log.read_text() if self._log.exists() else ""

    def close(self) -> None:
        if self._child is not None:
            self._child.end()
            self._child = None
