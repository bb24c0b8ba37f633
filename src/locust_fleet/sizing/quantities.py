"""Read and format sizes, times and rates the way people write them: 17.5MB, 30s, 10Gbit."""

from __future__ import annotations

import re

BYTES = {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30}
SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
BITS = {"Mbit": 1e6, "Gbit": 1e9}


def quantity(text: str, units: dict[str, float]) -> float:
    """Return the value of text such as 17.5MB in its basic unit; ValueError names the units."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?([A-Za-z]+)", text.strip())
    if not found or found[2] not in units:
        raise ValueError(f"'{text}'; use a number and one of {', '.join(units)}")
    return float(found[1]) * units[found[2]]


def size_of(count: float) -> str:
    """Format bytes: 17.5 MB."""
    unit = next((name for name in ("GB", "MB", "kB") if count >= BYTES[name]), "B")
    return f"{_short(count / BYTES[unit])} {unit}"


def bits(per_second: float) -> str:
    """Format bits per second: 2.3 Gbit/s."""
    unit = "Gbit" if per_second >= BITS["Gbit"] else "Mbit"
    return f"{_short(per_second / BITS[unit])} {unit}/s"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.1f}"
