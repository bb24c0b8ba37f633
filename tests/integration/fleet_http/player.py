"""A child process that has users of one kind."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.integration.conftest import ROOT

START_S = 60.0
# No task takes as long, whatever a server does: beyond it, a user hangs.
TASK_S = 20.0


class Player:
    """Started with its first task; one that hangs is ended, and the next one begins anew."""

    def __init__(self, kind: str, log: Path) -> None:
        self.kind = kind
        self._log = log
        self._process: subprocess.Popen[str] | None = None

    def do(self, places: dict[str, Any], **task: Any) -> dict[str, Any]:
        """Return the outcome of a task; see ``child.py``."""
        if self._process is None:
            self._process = self._start()
            self._line(START_S, "its start")
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"places": places, **task}) + "\n")
        self._process.stdin.flush()
        return dict(json.loads(self._line(TASK_S, str(task))))

    def log(self) -> str:
        """Return what it wrote of its own."""
        return self._log.read_text() if self._log.exists() else ""

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _start(self) -> subprocess.Popen[str]:
        module = "tests.integration.fleet_http.child"
        with self._log.open("ab") as log:
            return subprocess.Popen(
                (sys.executable, "-m", module, self.kind),
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def _line(self, patience_s: float, what: str) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], patience_s)
        line = self._process.stdout.readline() if ready else ""
        if not line:
            self.close()
            text = f"{self.kind} hung or died in {what}; its log ends:\n{self.log()[-2000:]}"
            raise AssertionError(text)
        return line
