"""What benchmarks print is read by people as by the page that collects it."""

from __future__ import annotations

import argparse
import json

import pytest
from tests.bench import table
from tests.bench.collect import page

FOUND = table.Table("Speed", ("", "us", "ratio"), (("a", 1234.5, table.Spread(0.5, 0.25, 1)),))


def test_a_table_is_markdown(capsys: pytest.CaptureFixture[str]) -> None:
    table.show(argparse.Namespace(json=False), FOUND)

    assert capsys.readouterr().out.splitlines() == [
        "Speed",
        "",
        "|  | us | ratio |",
        "| --- | ---: | ---: |",
        "| a | 1,234 | 0.5 (0.25 to 1) |",
        "",
    ]


def test_a_table_comes_back_from_its_json(capsys: pytest.CaptureFixture[str]) -> None:
    table.show(argparse.Namespace(json=True), FOUND)

    assert table.read(json.loads(capsys.readouterr().out)) == [FOUND]


def test_a_spread_is_the_median_and_its_bounds() -> None:
    assert table.Spread.of([3, 1, 2, 100]) == table.Spread(2.5, 1, 100)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (5, "5"), (12345.6, "12,346"), (12.345, "12.3"), (0.01234, "0.0123")],
)
def test_a_number_has_the_digits_that_mean_something(value: float, text: str) -> None:
    assert table.number(value) == text


def test_the_page_names_what_was_not_measured() -> None:
    text = page({"cores": "2"}, {"peers": [FOUND]}, ["master: redis-server is not on PATH"])

    assert text.startswith("cores 2.")
    assert "### Speed" in text
    assert "`python -m tests.bench.peers`" in text
    assert "- master: redis-server is not on PATH" in text
