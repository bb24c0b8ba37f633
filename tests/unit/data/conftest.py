"""A source of one record."""

from __future__ import annotations

from pathlib import Path

import pytest

from locust_fleet.data.source import Source


@pytest.fixture
def source(tmp_path: Path) -> Source:
    file = tmp_path / "numbers.jsonl"
    file.write_text("0\n")
    return Source("numbers", str(file), "wait")
