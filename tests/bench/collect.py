"""Put what run.sh has measured into one page and one JSON file.

Usage: python -m tests.bench.collect FOLDER

Reads NAME.json and NAME.error of the folder; writes results.json, and prints Markdown.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tests.bench import table
from tests.support.checkout import ROOT

RESULTS = "results.json"


def machine() -> dict[str, str]:
    """Return where and with what it was measured."""
    model = re.search(r"(?m)^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    commit = ("git", "-C", str(ROOT), "describe", "--always", "--dirty")
    return {
        "processor": model[1] if model else platform.machine(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory / 1e9:.0f} GB",
        "kernel": platform.release(),
        "Python": platform.python_version(),
        "Locust": version("locust"),
        "commit": subprocess.run(
            commit, capture_output=True, text=True, check=False
        ).stdout.strip(),
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "load of the machine before": (Path("/proc/loadavg").read_text().split()[0]),
    }


def page(about: dict[str, str], measured: dict[str, list[table.Table]], failed: list[str]) -> str:
    """Return all of it in Markdown."""
    parts = ["; ".join(f"{name} {value}" for name, value in about.items()) + "."]
    parts += [
        f"### {found.markdown()}\n`python -m tests.bench.{name}`"
        for name, tables in measured.items()
        for found in tables
    ]
    if failed:
        parts.append("Not measured:\n\n" + "\n".join(f"- {line}" for line in failed))
    return "\n\n".join(part.strip() for part in parts)


def main(folder: Path) -> None:
    """Read, write and print."""
    about = json.loads((folder / "machine").read_text())
    found = {
        file.stem: json.loads(file.read_text())
        for file in sorted(folder.glob("*.json"), key=lambda file: file.stat().st_mtime_ns)
        if file.name != RESULTS
    }
    failed = [f"{file.stem}: {file.read_text().strip()}" for file in sorted(folder.glob("*.error"))]
    results = {"machine": about, "benchmarks": found, "failed": failed}
    (folder / RESULTS).write_text(json.dumps(results, indent=1))
    print(page(about, {name: table.read(data) for name, data in found.items()}, failed))


if __name__ == "__main__":
    if sys.argv[1] == "--machine":
        print(json.dumps(machine()))
    else:
        main(Path(sys.argv[1]))
