"""Keep records on disk, in order, until they are in Postgres.

Every record takes this path, also while Postgres is available: a path that is always used works
when it is needed. The folder is a named volume, so records outlive the master.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Record = dict[str, Any]


@dataclass(frozen=True)
class Backlog:
    """The waiting records: files, their size in bytes, and the age of the oldest in seconds."""

    files: int
    size: int
    age_s: float


class Spool:
    """A queue of records, one file each; file names sort by age."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._rejected = folder / "rejected"
        self._ended = folder / "ended"
        # After every record of an earlier process, even if the clock has gone back since.
        places = [int(path.stem) for path in self.pending() if path.stem.isdecimal()]
        last = max(places, default=0)
        self._places = itertools.count(max(time.time_ns(), last + 1))

    def put(self, record: Record) -> None:
        """Append a record atomically; raises OSError when the disk is full."""
        file = self._folder / f"{next(self._places):020d}.json"
        partial = file.with_suffix(".partial")
        partial.write_text(json.dumps(record, separators=(",", ":")), encoding="utf-8")
        partial.replace(file)

    def note_end(self, run_id: str) -> None:
        """Note on disk that a run has ended, when no checkpoint could note it."""
        self._ended.write_text(run_id, encoding="utf-8")

    def ended_run(self) -> str | None:
        """Return the id of the run whose end was noted last; None without one."""
        if not self._ended.is_file():
            return None
        return self._ended.read_text(encoding="utf-8", errors="replace")

    def pending(self) -> list[Path]:
        """Return the files of the waiting records, oldest first."""
        return sorted(self._folder.glob("*.json"))

    def backlog(self) -> Backlog:
        """Return the number, size and age of the waiting records."""
        files = size = 0
        oldest = math.inf
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if not entry.name.endswith(".json"):
                    continue
                try:
                    status = entry.stat()
                except FileNotFoundError:
                    # Written to Postgres a moment ago.
                    continue
                files, size = files + 1, size + status.st_size
                oldest = min(oldest, status.st_mtime)
        return Backlog(files, size, max(0.0, time.time() - oldest) if files else 0.0)

    def rejected(self) -> int:
        """Return how many records Postgres refused; an operator has to look at them."""
        return sum(1 for _ in self._rejected.glob("*.json"))

    def diagnostics(self) -> list[str]:
        """Return findings for the operator about refused records, one line each."""
        rejected = self.rejected()
        if not rejected:
            return []
        finding = (
            f"Postgres refused {rejected} results, so pages of runs lack them. They are kept in"
            " spool/rejected; docs/runbooks/ResultsRejected.md says what to do."
        )
        return [finding]

    def read(self, path: Path) -> Record:
        """Return a waiting record; raises ValueError when its file is damaged."""
        record: Record = json.loads(path.read_text(encoding="utf-8"))
        return record

    def remove(self, path: Path) -> None:
        """Delete a record that is in Postgres."""
        path.unlink(missing_ok=True)

    def reject(self, path: Path) -> Path:
        """Set aside a record that Postgres refuses, for an operator; return its new path."""
        self._rejected.mkdir(exist_ok=True)
        return path.rename(self._rejected / path.name)
