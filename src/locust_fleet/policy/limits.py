"""Read the numbers that a run may have, for console and master alike. Pure.

There is one reader of each, and Locust is handed what it returns: what was accepted is what runs,
and what runs can be stored.
"""

from __future__ import annotations

import re
from reprlib import Repr

from locust_fleet.errors import BadInput

MOST_USERS = 10_000_000
# Users started per second: one in about three hours, or all of them at once.
SLOWEST, FASTEST = 0.0001, MOST_USERS
LONGEST_RUN_S = 366 * 86400
LONGEST_HOST = 2000
LONGEST_NAME = 200
LONGEST_SHOWN = 60

WHOLE = re.compile("[0-9]{1,20}", re.ASCII)
DECIMAL = re.compile(r"[0-9]{1,20}(\.[0-9]{0,20})?([eE][+-]?[0-9]{1,3})?", re.ASCII)
RUN_TIME = re.compile(
    "(?=.)(([0-9]{1,9})h)?(([0-9]{1,9})m)?(([0-9]{1,9})s)?|([0-9]{1,9})", re.ASCII
)


def users(field: str, value: object, least: int = 1) -> int:
    """Return a number of users; BadInput names the field."""
    return whole(field, value, least, MOST_USERS)


def spawn_rate(field: str, value: object) -> float:
    """Return a number of users per second; BadInput names the field."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not SLOWEST <= value <= FASTEST:  # type: ignore[operator]
        raise BadInput(
            f"{field} is {shown(value)}; use a number from {SLOWEST} to {FASTEST}"
            " (users started per second)"
        )
    return float(value)  # type: ignore[arg-type]


def run_time_s(field: str, value: object) -> int:
    """Return a run time in seconds; BadInput names the field."""
    found = RUN_TIME.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise BadInput(f"{field} is {shown(value)}; use 60, 90s, 30m or 1h30m")
    hours, minutes, seconds, alone = (int(found[part] or 0) for part in (2, 4, 6, 7))
    total_s = hours * 3600 + minutes * 60 + seconds + alone
    if not 1 <= total_s <= LONGEST_RUN_S:
        raise BadInput(f"{field} is {shown(value)}; use a time from 1s to {LONGEST_RUN_S}s")
    return total_s


def whole(field: str, value: object, least: int, most: int) -> int:
    """Return a whole number of a range; BadInput names the field."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise BadInput(f"{field} is {shown(value)}; use a whole number from {least} to {most}")
    return value


def line(field: str, value: object, longest: int) -> str:
    """Return a text of one line; BadInput names the field."""
    if not isinstance(value, str) or len(value) > longest or not value.isprintable():
        raise BadInput(
            f"{field} is {shown(value)}; use a text of one line, up to {longest} characters"
        )
    return value


def number_in(text: str) -> int | float | str:
    """Return the number that a form's text is, or the text where it is none."""
    plain = text.strip(" ")
    if WHOLE.fullmatch(plain):
        return int(plain)
    return float(plain) if DECIMAL.fullmatch(plain) else text


def shown(value: object) -> str:
    """Return what somebody sent as a sentence can hold it: short, printable, of any depth."""
    short = Repr()
    short.maxstring = short.maxother = short.maxlong = LONGEST_SHOWN
    return short.repr(value)[: 2 * LONGEST_SHOWN]
