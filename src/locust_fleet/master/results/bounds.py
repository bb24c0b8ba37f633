"""Clamp values from workers and people to what their Postgres columns hold. Pure.

Postgres refuses a whole record for one value that does not fit, and the run would lack its results.
An integer column has 63 bits and totals add up many reports, so the limits of one report are far
lower.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

# Together they fit into an index key of Postgres, which holds 2704 bytes.
METHOD_BYTES, NAME_BYTES, ERROR_BYTES = 60, 600, 1500
HOST_BYTES = DETAIL_BYTES = 2000
# Limits of one report.
MOST_COUNT, MOST_BYTES, LONGEST_MS = 10**9, 10**15, 1e15
# The largest signed 64-bit integer, the largest that a checkpoint holds.
LARGEST = 2**63 - 1
# Limits of an event's detail: items of a list or mapping, and levels of nesting.
MOST_ITEMS, DEEPEST = 1000, 8


def clean(text: str, longest_bytes: int) -> str:
    """Return text that Postgres can store: no NUL, no lone surrogates, at most so many UTF-8 bytes.

    Text that is cut ends with a hash of the whole, so that two different texts stay different.
    """
    raw = text.replace("\x00", "\ufffd").encode("utf-8", "replace")
    if len(raw) <= longest_bytes:
        return raw.decode("utf-8")
    mark = f"…{hashlib.sha256(raw).hexdigest()[:8]}"
    return raw[: longest_bytes - len(mark.encode())].decode("utf-8", "ignore") + mark


def count(number: float, most: int = MOST_COUNT) -> int:
    """Return a count as a whole number from 0 to ``most``."""
    if isinstance(number, int):
        return number if 0 <= number <= most else min(max(number, 0), most)
    return count(int(finite(number)), most)


def finite(number: float) -> float:
    """Return a number that JSON can hold: 0.0 for NaN and infinity."""
    return number if isinstance(number, int) or math.isfinite(number) else 0.0


def duration(milliseconds: float) -> float:
    """Return a response time, or the sum of many, clamped so that sums of it stay finite."""
    if -LONGEST_MS <= milliseconds <= LONGEST_MS:
        return milliseconds
    return min(max(finite(milliseconds), -LONGEST_MS), LONGEST_MS)


def histogram(times: Mapping[float, int]) -> Mapping[float, int]:
    """Return a histogram {milliseconds: count} with each count clamped."""
    counts = times.values()
    # The usual case needs no loop: a report has thousands of steps.
    if not counts or (min(counts) >= 0 and max(counts) <= MOST_COUNT):
        return times
    return {time_ms: count(met) for time_ms, met in times.items()}


def detail(value: object, deepest: int = DEEPEST) -> Any:
    """Return the detail of an event in a form that jsonb can hold."""
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
