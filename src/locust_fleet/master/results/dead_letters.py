"""Set aside unusable data for an operator, so that no master reads it again.

The files are on the spool volume, which all masters of the host share.
"""

from __future__ import annotations

import hashlib
import logging
import time
from pathlib import Path

# Files of each kind: twenty show a fault as well as a million.
MOST = 20
# The largest file that is kept, as large as a checkpoint may be; larger data is only logged.
MOST_BYTES = 32 << 20
FOLDER = "dead"

logger = logging.getLogger(__name__)


class DeadLetters:
    """Files with unusable data, each with a text file beside it that says why."""

    def __init__(self, spool: Path) -> None:
        self._folder = spool / FOLDER

    def put(self, kind: str, content: bytes, why: str) -> None:
        """Keep unusable data, equal data once. Never raises: logs if it cannot be kept."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            file = self._folder / f"{kind}-{hashlib.sha256(content).hexdigest()[:16]}.bin"
            if file.exists():
                return
            if self._count(kind) >= MOST or len(content) > MOST_BYTES:
                logger.error("a %s of %d bytes is not kept: %s", kind, len(content), why)
                return
            at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            file.with_suffix(".txt").write_text(f"{at} {why}\n", encoding="utf-8", errors="replace")
            partial = file.with_suffix(".partial")
            partial.write_bytes(content)
            partial.replace(file)
            logger.error("the master cannot use a %s, and keeps it as %s: %s", kind, file, why)
        except OSError as error:
            logger.error("a %s is lost (%s): %s", kind, error, why)

    def _count(self, kind: str) -> int:
        return sum(1 for _ in self._folder.glob(f"{kind}-*.bin"))

    def diagnostics(self) -> list[str]:
        """Return findings for the operator about files that were set aside, one line each."""
        kinds = sorted(file.name.rpartition("-")[0] for file in self._folder.glob("*.bin"))
        if not kinds:
            return []
        what = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
        finding = (
            f"the master set aside data that it cannot use in spool/{FOLDER} ({what}), so results"
            " may be missing. The .txt beside each file says why; remove the files once you know it"
        )
        return [finding]
