"""How many processes and open files the long-lived processes of a stack have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.containers import pid_of

# Connections that are kept for the next request, of the side that serves as of the side that asks.
SPARE_FILES = 12
# Postgres and gunicorn start some when they need them.
SPARE_PROCESSES = 2


@dataclass(frozen=True)
class Holdings:
    """What the processes of a container hold together."""

    processes: int
    zombies: int
    files: int


def holdings_of(container: str) -> Holdings:
    # As the host sees them: `docker top` needs a program that a host may not have.
    first = Path("/proc") / str(pid_of(container)) / "ns" / "pid"
    space = first.readlink()
    folders = [folder for folder in Path("/proc").glob("[0-9]*") if _is_in(folder, space)]
    return Holdings(
        processes=len(folders),
        zombies=sum(_is_zombie(folder) for folder in folders),
        files=sum(_files_of(folder) for folder in folders),
    )


def leaks(before: Mapping[str, Holdings], after: Mapping[str, Holdings]) -> list[str]:
    """Return what is more than it was, for those that were there before and after."""
    return [
        f"{name}: {before[name]}, then {now}"
        for name, now in after.items()
        if name in before
        and (
            now.zombies > 0
            or now.processes > before[name].processes + SPARE_PROCESSES
            or now.files > before[name].files + SPARE_FILES
        )
    ]


def _is_in(process: Path, space: Path) -> bool:
    try:
        return (process / "ns" / "pid").readlink() == space
    except OSError:
        # It has just ended.
        return False


def _files_of(process: Path) -> int:
    try:
        return sum(1 for _ in (process / "fd").iterdir())
    except OSError:
        # It has just ended.
        return 0


def _is_zombie(process: Path) -> bool:
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False
