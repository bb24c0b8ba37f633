"""Encode a worker's report for its way to the master, and decode it there. Pure.

Locust 2.47.0 repeats the names of a dozen fields in each entry, and sends all counts a second time
for the sum of all entries. Here an entry is a row of values, histogram steps are stored as
differences and seconds count from the start of the entry, all of it compressed. So a report with
our finer steps stays below twice the size of Locust's own. The master restores the form that Locust
expects, with response times instead of steps.
"""

from __future__ import annotations

from locust.rpc import Message

import zlib
from array import array
from collections.abc import Mapping
from itertools import accumulate
from operator import sub
from typing import Any

from locust_fleet.protocol.histogram import response_time_of

# The key of the encoded statistics in a report; a report without it has Locust's own form.
SHORT = "fleet_stats"
VALUES = (
    "name",
    "method",
    "last_request_timestamp",
    "start_time",
    "num_requests",
    "num_none_requests",
    "num_failures",
    "total_response_time",
    "max_response_time",
    "min_response_time",
    "total_content_length",
)
# The fastest level of zlib.
QUICK = 1
SECONDS = ("num_reqs_per_sec", "num_fail_per_sec")
# The largest size of a decompressed report. Ten thousand names with 200 steps each take half of it.
# A byte may become an object of 70 bytes, so this limits the memory of the master.
MOST_BYTES = 32 << 20

Row = list[Any]


def shorten(report: dict[str, Any]) -> None:
    """Replace Locust's statistics in a worker's report by their encoded form."""
    entries, total = report["stats"], report["stats_total"]
    # With one entry the total counts the same.
    totals = {**total, "response_times": {}} if len(entries) == 1 else total
    rows = [_row(entry) for entry in [*entries, totals]]
    report[SHORT] = zlib.compress(Message(SHORT, rows, "").serialize(), QUICK)
    del report["stats"], report["stats_total"]


def restore(report: dict[str, Any]) -> None:
    """Replace the encoded statistics by the form that Locust's master and its listeners read.

    Raises ValueError, and others for damaged bytes; the report is then unchanged.
    """
    rows = Message.unserialize(_unpacked(report[SHORT])).data
    entries = [_entry(row) for row in rows]
    total = entries.pop()
    if len(entries) == 1:
        total["response_times"] = dict(entries[0]["response_times"])
    report["stats"], report["stats_total"] = entries, total
    # Last, so that a report that cannot be decoded stays as it came.
    del report[SHORT]


def _unpacked(packed: bytes) -> bytes:
    """Return the decompressed bytes; raises ValueError for more than MOST_BYTES."""
    unpacking = zlib.decompressobj()
    unpacked = unpacking.decompress(packed, MOST_BYTES)
    if not unpacking.eof:
        raise ValueError(f"it is cut off, or has more than {MOST_BYTES} bytes")
    return unpacked


def _row(entry: Mapping[str, Any]) -> Row:
    start, counts = int(entry["start_time"]), entry["response_times"]
    steps = sorted(counts)
    return [
        *(entry[field] for field in VALUES),
        # Nearly all differences are small, so zlib leaves little of their four bytes.
        array("I", map(sub, steps, [0, *steps])).tobytes(),
        [counts[step] for step in steps],
        *({second - start: count for second, count in entry[field].items()} for field in SECONDS),
    ]


def _entry(row: Row) -> dict[str, Any]:
    gaps, counts, requests, failures = row[len(VALUES) :]
    entry = dict(zip(VALUES, row, strict=False))
    times = map(response_time_of, accumulate(array("I", gaps)))
    entry["response_times"] = dict(zip(times, counts, strict=True))
    start = int(entry["start_time"])
    entry["num_reqs_per_sec"] = {start + second: count for second, count in requests.items()}
    entry["num_fail_per_sec"] = {start + second: count for second, count in failures.items()}
    return entry
