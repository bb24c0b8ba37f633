"""Keep records on disk, in order, until they are in Postgres.

Every record goes this way, also while Postgres is well: one path that is always used is one
that works on the day it is needed. The folder is a named volume, so records outlive the master.
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
    """What waits: files, their bytes, and the seconds that the oldest has waited."""

    files: int
    size: int
    age_s: float


class Spool:
    """A queue of records, each a file whose name gives its place."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._rejected = folder / "rejected"
        self._ended = folder / "ended"
        # Above every record that an earlier process left, even if the clock went back since.
        places = [int(path.stem) for path in self.pending() if path.stem.isdecimal()]
        last = max(places, default=0)
        self._places = itertools.count(max(time.time_ns(), last + 1))

    def put(self, record: Record) -> None:
        """Append a record, whole or not at all; raises OSError when the disk is full."""
        file = self._folder / f"{next(self._places):020d}.json"
        partial = file.with_suffix(".partial")
        partial.write_text(json.dumps(record, separators=(",", ":")), encoding="utf-8")
        partial.replace(file)

    def note_end(self, run_id: str) -> None:
        """Remember that a run has ended, where that could be noted nowhere else."""
        self._ended.write_text(run_id, encoding="utf-8")

    def ended_run(self) -> str | None:
        """Return the run whose end was noted last, if any was."""
        if not self._ended.is_file():
            return None
        return self._ended.read_text(encoding="utf-8", errors="replace")

    def pending(self) -> list[Path]:
        """Return the records that still wait, oldest first."""
        return sorted(self._folder.glob("*.json"))

    def backlog(self) -> Backlog:
        """Return how much still waits."""
        files = size = 0
        oldest = math.inf
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if not entry.name.endswith(".json"):
                    continue
                try:
                    status = entry.stat()
                except FileNotFoundError:
                    # Shipped in this moment.
                    continue
                files, size = files + 1, size + status.st_size
                oldest = min(oldest, status.st_mtime)
        return Backlog(files, size, max(0.0, time.time() - oldest) if files else 0.0)

    def rejected(self) -> int:
        """Return how many records Postgres refused; they wait for a human."""
        return sum(1 for _ in self._rejected.glob("*.json"))

    def diagnostics(self) -> list[str]:
        """Return what an operator should know."""
        rejected = self.rejected()
        if not rejected:
            return []
        finding = (
            f"Postgres refused {rejected} results, which the pages of runs lack. They are kept in"
            " spool/rejected; what to do is in docs/runbooks/ResultsRejected.md."
        )
        return [finding]

    def read(self, path: Path) -> Record:
        """Return a waiting record; raises ValueError when its file was damaged."""
        record: Record = json.loads(path.read_text(encoding="utf-8"))
        return record

    def remove(self, path: Path) -> None:
        """Forget a record that is in Postgres."""
        path.unlink(missing_ok=True)

    def reject(self, path: Path) -> Path:
        """Put a record aside that Postgres will never take, for a human; returns where it is."""
        self._rejected.mkdir(exist_ok=True)
        return path.rename(self._rejected / path.name)
