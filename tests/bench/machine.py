"""What a benchmark asks of the machine: its cores, its programs, and what a process has used."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Where Debian keeps programs that are not on PATH.
ELSEWHERE = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


class Missing(Exception):
    """A program that a benchmark needs is not on this machine; the message names it."""


def program(name: str) -> str:
    """Return the path of a program; Missing if there is none."""
    path = os.pathsep.join([os.environ["PATH"], *map(str, ELSEWHERE)])
    found = shutil.which(name, path=path)
    if not found:
        raise Missing(f"{name} is not on PATH; install it")
    return found


def cpu_s(pid: int) -> float:
    """Return what all threads of a process ran, in seconds; exact, unlike the ticks of stat."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


@contextmanager
def on_core(number: int) -> Iterator[None]:
    """Have what starts meanwhile run on one core of those that we may use; the last for -1."""
    usable = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {usable[number] if abs(number) < len(usable) else usable[-1]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, usable)
