"""What every benchmark prints: tables in Markdown, or with --json for run.sh to collect."""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Spread:
    """The median of what was measured, and its lowest and highest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Return the spread of values, of which there is at least one."""
        numbers = sorted(values)
        return cls(statistics.median(numbers), numbers[0], numbers[-1])

    def __str__(self) -> str:
        return f"{number(self.median)} ({number(self.low)} to {number(self.high)})"


Cell = str | int | float | Spread


@dataclass(frozen=True)
class Table:
    """What was measured, with a line for each case."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def markdown(self) -> str:
        """Return it as Markdown: the first column is what, the others are numbers."""
        rule = ("---", *("---:" for _ in self.columns[1:]))
        lines = [self.columns, rule, *([text(cell) for cell in row] for row in self.rows)]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return f"{self.title}\n\n{table}\n"


def number(value: float) -> str:
    """Return a number with three digits that mean something."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def text(cell: Cell) -> str:
    """Return a cell as it is read."""
    return number(cell) if isinstance(cell, int | float) else str(cell)


def parser(doc: str | None) -> argparse.ArgumentParser:
    """Return the parser of a benchmark, which has its module's text as help."""
    made = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--json", action="store_true", help="print JSON instead of Markdown")
    return made


def show(arguments: argparse.Namespace, *tables: Table) -> None:
    """Print what was measured."""
    if arguments.json:
        print(json.dumps([asdict(table) for table in tables]))
    else:
        print("\n".join(table.markdown() for table in tables))


def read(data: list[dict[str, Any]]) -> list[Table]:
    """Return the tables that ``show`` printed as JSON."""
    return [
        Table(
            each["title"],
            tuple(each["columns"]),
            tuple(tuple(_cell(cell) for cell in row) for row in each["rows"]),
        )
        for each in data
    ]


def _cell(data: Any) -> Cell:
    return Spread(**data) if isinstance(data, dict) else data
