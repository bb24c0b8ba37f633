"""Format numbers and times for people. Pure; templates use these functions as filters."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

NOTHING = "\u2013"


def moment(value: datetime | str | None) -> str:
    """Format a time to the second, in UTC."""
    if value is None:
        return NOTHING
    time = datetime.fromisoformat(value) if isinstance(value, str) else value
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def span(seconds: float | None) -> str:
    """Format a duration with its two largest units."""
    if seconds is None:
        return NOTHING
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, second = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {second:02} s"
    hours, minute = divmod(minutes, 60)
    return f"{hours} h {minute:02} min"


def took(run: Mapping[str, Any]) -> float | None:
    """Return how long a run took, or has taken so far, in seconds; None when its end is unknown."""
    if run.get("started_at") is None:
        return None
    if run.get("ended_at") is None and run["state"] != "running":
        return None
    end = datetime.fromisoformat(run["ended_at"]) if run.get("ended_at") else datetime.now(UTC)
    return (end - datetime.fromisoformat(run["started_at"])).total_seconds()


def count(value: int | None) -> str:
    """Format a whole number with thin spaces between thousands."""
    return NOTHING if value is None else f"{value:,}".replace(",", "\u2009")


def decimal(value: float | None) -> str:
    """Format a number with one decimal, and from 100 on with none."""
    if value is None:
        return NOTHING
    return count(round(value)) if abs(value) >= 100 else f"{value:.1f}"


def ms(value: float | None) -> str:
    """Format milliseconds with one decimal, and from 10 on with none."""
    return decimal(value) if value is None or value < 10 else count(round(value))


def share(part: int | None, whole: int | None) -> str:
    """Format a part of a whole in percent."""
    if part is None or not whole:
        return NOTHING
    percent = 100 * part / whole
    # A few failures among many requests must not look like none.
    return "< 0.01 %" if 0 < percent < 0.01 else f"{percent:.2f} %"


def details(detail: Mapping[str, Any]) -> str:
    """Format the details of an event on one line."""
    return ", ".join(
        f"{key.replace('_', ' ')}: {value}" for key, value in detail.items() if value is not None
    )


FILTERS = {
    "moment": moment,
    "span": span,
    "took": took,
    "count": count,
    "decimal": decimal,
    "ms": ms,
    "details": details,
}
