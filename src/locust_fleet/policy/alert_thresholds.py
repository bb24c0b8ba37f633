"""The alerts that have a threshold, and the thresholds that a run may set for itself."""

from __future__ import annotations

from collections.abc import Mapping

from locust_fleet.errors import BadInput
from locust_fleet.policy.limits import shown

# The alerts, each with the unit of its threshold.
UNITS = {
    "HighErrorRate": "percent of requests",
    "HighResponseTime": "seconds, 95th percentile",
    "LowThroughput": "requests per second",
    "IterationsDropped": "percent of arrivals",
    "SystemResourceHigh": "percent of CPU",
    "LocustHighMemoryUsage": "bytes",
}

# High enough for bytes of memory.
HIGHEST = 1e18

Thresholds = Mapping[str, float]


def read_thresholds(given: Mapping[str, object]) -> dict[str, float]:
    """Return the thresholds of a run by the name of their alert; 0 switches an alert off.

    Raises BadInput, which names the alert and what would be right.
    """
    return {alert: _threshold(alert, value) for alert, value in given.items()}


def _threshold(alert: str, value: object) -> float:
    if alert not in UNITS:
        raise BadInput(
            f"There is no alert {shown(alert)} with a threshold; use {', '.join(UNITS)}."
        )
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not 0 <= value <= HIGHEST:  # type: ignore[operator]
        raise BadInput(
            f"The threshold of {alert} is {shown(value)}; use a number from 0 ({UNITS[alert]})."
        )
    return float(value)  # type: ignore[arg-type]


def parse_threshold(text: str) -> tuple[str, float]:
    """Return name and value of NAME=VALUE; ValueError says what would be right."""
    alert, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"'{text}' is not NAME=VALUE, such as HighResponseTime=15.")
    try:
        number: object = float(value)
    except ValueError:
        number = value
    return alert, read_thresholds({alert: number})[alert]
