"""Read what the dashboards ask, and say it as Grafana would, with its variables filled in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.support.checkout import ROOT

FOLDER = ROOT / "grafana" / "dashboards"
# How often Prometheus scrapes, unless a query says otherwise: timeInterval of its data source.
SCRAPE_S = 5
MARKS = ".*+?^$|()[]{}\\"


@dataclass(frozen=True)
class Query:
    """One question of a dashboard. ``panel`` is the title of a panel or what else asks."""

    dashboard: str
    panel: str
    source: str
    text: str
    scrape_s: int = SCRAPE_S
    # Asks only for the present.
    instant: bool = False

    def __str__(self) -> str:
        return f"{self.dashboard} / {self.panel}: {self.text}"


@dataclass(frozen=True)
class View:
    """What somebody looks at: a time range, and the chosen values of the variables."""

    begin: datetime
    end: datetime
    one: Mapping[str, str] = field(default_factory=dict)
    several: Mapping[str, list[str]] = field(default_factory=dict)
    step_s: int = 5


def dashboards() -> list[dict[str, Any]]:
    """Return the dashboards as they are checked in."""
    return [json.loads(file.read_text(encoding="utf-8")) for file in sorted(FOLDER.glob("*.json"))]


def panels(dashboard: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the panels that ask something: all but the titles of rows."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def queries(dashboard: Mapping[str, Any]) -> list[Query]:
    """Return everything that a dashboard asks: in panels, annotations and variables."""
    return [*_of_panels(dashboard), *_of_annotations(dashboard), *_of_variables(dashboard)]


def promql(query: Query, view: View) -> str:
    """Return a question for Prometheus with everything filled in."""
    rate_s = max(view.step_s + query.scrape_s, 4 * query.scrape_s)
    text = query.text.replace("$__rate_interval", f"{rate_s}s")
    text = text.replace("$__interval", f"{view.step_s}s")
    several = {name: _pattern(values) for name, values in view.several.items()}
    return _fill(text, {**view.one, **several})


def sql(query: Query, view: View) -> str:
    """Return a question for Postgres with everything filled in."""
    begin, end = view.begin.isoformat(), view.end.isoformat()
    text = re.sub(r"\$__timeFilter\(([^)]*)\)", rf"\1 BETWEEN '{begin}' AND '{end}'", query.text)
    text = text.replace("$__timeFrom()", f"'{begin}'").replace("$__timeTo()", f"'{end}'")
    text = text.replace("$__interval", f"{view.step_s}s")
    one = {name: value.replace("'", "''") for name, value in view.one.items()}
    several = {
        name: ",".join("'" + value.replace("'", "''") + "'" for value in values)
        for name, values in view.several.items()
    }
    return _fill(text, {**one, **several})


def variables(text: str) -> set[str]:
    """Return the names of the dashboard's variables in a text; Grafana's own begin with __."""
    return {name for name in re.findall(r"\$\{?(\w+)", text) if not name.startswith("__")}


def _of_panels(dashboard: Mapping[str, Any]) -> Iterator[Query]:
    for panel in panels(dashboard):
        for target in panel["targets"]:
            yield Query(
                dashboard["title"],
                panel["title"],
                target["datasource"]["uid"],
                target.get("expr") or target["rawSql"],
                int(target.get("interval", f"{SCRAPE_S}s").removesuffix("s")),
                bool(target.get("instant")),
            )


def _of_annotations(dashboard: Mapping[str, Any]) -> Iterator[Query]:
    for annotation in dashboard.get("annotations", {}).get("list", []):
        source, text = annotation["datasource"]["uid"], annotation["target"]["rawSql"]
        yield Query(dashboard["title"], f"annotation {annotation['name']}", source, text)


def _of_variables(dashboard: Mapping[str, Any]) -> Iterator[Query]:
    for variable in dashboard.get("templating", {}).get("list", []):
        source, text = variable["datasource"]["uid"], variable["query"]
        if source == "prometheus":
            # label_values is Grafana's; what it finds, this finds too.
            text = re.sub(r"^label_values\((.+), (\w+)\)$", r"count by (\2) (\1)", text["query"])
        yield Query(dashboard["title"], f"variable {variable['name']}", source, text)


def _pattern(values: list[str]) -> str:
    """Join values to a regular expression within a string, as Grafana does."""
    escaped = [
        "".join(f"\\\\{mark}" if mark in MARKS else mark for mark in value).replace('"', '\\"')
        for value in values
    ]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


def _fill(text: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda found: values[found[1] or found[2]], text)
