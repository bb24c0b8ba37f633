"""Percentiles in SQL are those of Python, so that every page shows the same number."""

from __future__ import annotations

import json
import random
import time

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from locust_fleet.protocol.histogram import Histogram, merge, percentile
from tests.support.fuzz import examples

# Times as long as only reading them: 3 when it was written, 70 with a sum made anew for each row.
MERGE_LIMIT = 20
# As JSON writes them: whole and broken numbers of milliseconds.
times = st.floats(0.001, 100_000).map(lambda ms: round(ms, 4)) | st.integers(0, 100_000)
histograms = st.dictionaries(times.map(str), st.integers(0, 50), max_size=40)
# Each example asks the same database, which nothing changes.
asking = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(100)
)


def sql_percentile(
    connection: psycopg.Connection, histogram: Histogram, fraction: float
) -> float | None:
    row = connection.execute(
        "SELECT histogram_percentile(%s, %s)", (Jsonb(histogram), fraction)
    ).fetchone()
    assert row is not None
    value: float | None = row[0]
    return value


def sql_merge(connection: psycopg.Connection, parts: list[Histogram]) -> dict[float, int]:
    row = connection.execute(
        "SELECT histogram_merge(part) FROM jsonb_array_elements(%s) AS part", (Jsonb(parts),)
    ).fetchone()
    assert row is not None
    return {float(ms): count for ms, count in row[0].items()}


@asking
@given(histogram=histograms, fraction=st.floats(0, 1))
def test_postgres_and_python_find_the_same_percentile(
    connection: psycopg.Connection, histogram: dict[str, int], fraction: float
) -> None:
    assert sql_percentile(connection, histogram, fraction) == percentile(histogram, fraction)


@asking
@given(parts=st.lists(histograms, max_size=5))
def test_postgres_and_python_merge_alike(
    connection: psycopg.Connection, parts: list[dict[str, int]]
) -> None:
    assert sql_merge(connection, list(parts)) == merge(parts)


def test_a_histogram_of_nothing_has_no_percentile(connection: psycopg.Connection) -> None:
    assert sql_percentile(connection, {}, 0.5) is None


def test_ten_thousand_samples_merge_not_much_slower_than_they_are_read(
    connection: psycopg.Connection,
) -> None:
    chance = random.Random(7)
    keys = [f"{1.02**step:.4g}" for step in range(700)]
    connection.execute("CREATE TEMP TABLE samples (histogram jsonb)")
    with connection.cursor() as cursor, cursor.copy("COPY samples FROM STDIN") as copy:
        for _ in range(10_000):
            first = chance.randrange(300, 500)
            row = {key: chance.randrange(1, 99) for key in keys[first : first + 60]}
            copy.write_row((json.dumps(row),))

    merging = seconds(connection, "SELECT histogram_merge(histogram) FROM samples")

    # Only reading them is the measure, so that a busy machine does not matter.
    reading = seconds(connection, "SELECT count(*) FROM samples, jsonb_each_text(histogram)")
    assert merging < MERGE_LIMIT * reading, f"{merging:.2f} s to merge, {reading:.2f} s to read"


def seconds(connection: psycopg.Connection, query: str) -> float:
    """Return how long a query takes at best."""

    def once() -> float:
        began = time.monotonic()
        connection.execute(query.encode())
        return time.monotonic() - began

    return min(once() for _ in range(3))
