"""Set aside what no master can use, for a human, so that no master reads it again.

Beside the spool, in the volume that all masters of the host share.
"""

from __future__ import annotations

import hashlib
import logging
import time
from pathlib import Path

# Of each kind: a fault to look into, which twenty show as well as a million.
MOST = 20
# Of each, as much as the largest checkpoint; what is larger is told of, and not kept.
MOST_BYTES = 32 << 20
FOLDER = "dead"

logger = logging.getLogger(__name__)


class DeadLetters:
    """Files, each with what was set aside; beside each a text that says why."""

    def __init__(self, spool: Path) -> None:
        self._folder = spool / FOLDER

    def put(self, kind: str, content: bytes, why: str) -> None:
        """Keep what cannot be used; the same once. Never raises: where there is no room, logs."""
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
            logger.error("a %s that cannot be used is kept as %s: %s", kind, file, why)
        except OSError as error:
            logger.error("a %s is lost (%s): %s", kind, error, why)

    def _count(self, kind: str) -> int:
        return sum(1 for _ in self._folder.glob(f"{kind}-*.bin"))

    def diagnostics(self) -> list[str]:
        """Return what an operator should know."""
        kinds = sorted(file.name.rpartition("-")[0] for file in self._folder.glob("*.bin"))
        if not kinds:
            return []
        what = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
        finding = (
            f"the master cannot use what it set aside in spool/{FOLDER} ({what}), so results may"
            " be missing. The .txt beside each file says why; remove the files once you have looked"
        )
        return [finding]
