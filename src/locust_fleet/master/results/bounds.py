"""Make what comes from workers and people fit into its column of Postgres, where it enters. Pure.

What a column cannot hold is refused with all that stands beside it, so a run would lack its results
because of one number. A whole number has 63 bits there, and totals add reports up; so what one
report may say is far below.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

# Together they fit into a key of Postgres, which holds 2704 bytes.
METHOD_BYTES, NAME_BYTES, ERROR_BYTES = 60, 600, 1500
HOST_BYTES = DETAIL_BYTES = 2000
# Of one report.
MOST_COUNT, MOST_BYTES, LONGEST_MS = 10**9, 10**15, 1e15
# What 64 bits hold with a sign, as in a checkpoint.
LARGEST = 2**63 - 1
# Of what is told of an event.
MOST_ITEMS, DEEPEST = 1000, 8


def clean(text: str, longest_bytes: int) -> str:
    """Return text that Postgres can store: without NUL or half characters, and not too long.

    What is cut ends in a mark of the whole, so that two long texts stay two.
    """
    raw = text.replace("\x00", "\ufffd").encode("utf-8", "replace")
    if len(raw) <= longest_bytes:
        return raw.decode("utf-8")
    mark = f"…{hashlib.sha256(raw).hexdigest()[:8]}"
    return raw[: longest_bytes - len(mark.encode())].decode("utf-8", "ignore") + mark


def count(number: float, most: int = MOST_COUNT) -> int:
    """Return how many there are of something, a whole number from 0."""
    if isinstance(number, int):
        return number if 0 <= number <= most else min(max(number, 0), most)
    return count(int(finite(number)), most)


def finite(number: float) -> float:
    """Return a number that JSON can hold; a response time that is none counts as zero."""
    return number if isinstance(number, int) or math.isfinite(number) else 0.0


def duration(milliseconds: float) -> float:
    """Return a response time, or the sum of many, that can be added up further."""
    if -LONGEST_MS <= milliseconds <= LONGEST_MS:
        return milliseconds
    return min(max(finite(milliseconds), -LONGEST_MS), LONGEST_MS)


def histogram(times: Mapping[float, int]) -> Mapping[float, int]:
    """Return response times with how often each was met."""
    counts = times.values()
    # Without a loop where all is well: a report has thousands of steps.
    if not counts or (min(counts) >= 0 and max(counts) <= MOST_COUNT):
        return times
    return {time_ms: count(met) for time_ms, met in times.items()}


def detail(value: object, deepest: int = DEEPEST) -> Any:
    """Return what an event tells as jsonb can hold it."""
    match value:
        case bool() | None:
            return value
        case int():
            return min(max(value, -LARGEST), LARGEST)
        case float():
            return finite(value)
        case Mapping() if deepest:
            items = list(value.items())[:MOST_ITEMS]
            return {clean(str(key), NAME_BYTES): detail(each, deepest - 1) for key, each in items}
        case Sequence() if deepest and not isinstance(value, (str, bytes)):
            return [detail(each, deepest - 1) for each in value[:MOST_ITEMS]]
        case _:
            return clean(str(value), DETAIL_BYTES)
