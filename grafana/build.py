"""Write the dashboards as the JSON files that Grafana reads; run it after a change.

Usage: python -m grafana.build
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from grafana import compare, fleet, run, stack
from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

FOLDER = Path(__file__).with_name("dashboards")
DASHBOARDS: dict[str, Callable[[], Dashboard]] = {
    "run": run.dashboard,
    "fleet": fleet.dashboard,
    "stack": stack.dashboard,
    "compare": compare.dashboard,
}


def text(name: str) -> str:
    """Return a dashboard as its file holds it."""
    made = DASHBOARDS[name]().build()
    return json.dumps(made, cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main() -> None:
    for name in DASHBOARDS:
        (FOLDER / f"{name}.json").write_text(text(name), encoding="utf-8")


if __name__ == "__main__":
    main()
