"""Read the rows of reports without an entry for each.

Locust 2.47.0 (``stats.StatsEntry.unserialize``) makes an entry with three dictionaries of each row
of each report, only to add it to an existing entry: ten times the necessary work.
"""

from __future__ import annotations

from locust import stats
from locust.stats import RequestStats

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from locust_fleet.locust_patches.patch import replace


def read_rows_plainly() -> None:
    """Make Locust add rows with an entry's attributes, in place of entries."""
    replace(stats.StatsEntry, "unserialize", staticmethod(_row))


def _row(row: Mapping[str, Any], _: RequestStats) -> SimpleNamespace:
    return SimpleNamespace(**row)
