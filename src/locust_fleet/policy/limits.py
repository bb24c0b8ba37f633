"""Check the numbers and texts of a run, for console and master alike. Pure.

There is one function for each, and Locust gets what it returns. So a run has exactly the values
that were accepted, and all of them can be stored.
"""

from __future__ import annotations

import re
from reprlib import Repr

from locust_fleet.errors import BadInput

MOST_USERS = 10_000_000
# Users started per second: from one in about three hours to all of them at once.
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
    """Return a number of users; raises BadInput, which names the field."""
    return whole(field, value, least, MOST_USERS)


def spawn_rate(field: str, value: object) -> float:
    """Return how many users start per second; raises BadInput."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not SLOWEST <= value <= FASTEST:  # type: ignore[operator]
        raise BadInput(
            f"{field} is {shown(value)}; use a number from {SLOWEST} to {FASTEST}"
            " (users started per second)"
        )
    return float(value)  # type: ignore[arg-type]


def run_time_s(field: str, value: object) -> int:
    """Return a run time in seconds from text such as 1h30m; raises BadInput."""
    found = RUN_TIME.fullmatch(value) if isinstance(value, str) else None
    if not found:
        raise BadInput(f"{field} is {shown(value)}; use 60, 90s, 30m or 1h30m")
    hours, minutes, seconds, alone = (int(found[part] or 0) for part in (2, 4, 6, 7))
    total_s = hours * 3600 + minutes * 60 + seconds + alone
    if not 1 <= total_s <= LONGEST_RUN_S:
        raise BadInput(f"{field} is {shown(value)}; use a time from 1s to {LONGEST_RUN_S}s")
    return total_s


def whole(field: str, value: object, least: int, most: int) -> int:
    """Return a whole number from ``least`` to ``most``; raises BadInput."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise BadInput(f"{field} is {shown(value)}; use a whole number from {least} to {most}")
    return value


def line(field: str, value: object, longest: int) -> str:
    """Return a line of at most ``longest`` characters; raises BadInput."""
    if not isinstance(value, str) or len(value) > longest or not value.isprintable():
        raise BadInput(
            f"{field} is {shown(value)}; use a text of one line, up to {longest} characters"
        )
    return value


def number_in(text: str) -> int | float | str:
    """Return the number in a field of a form, or the text where it is not a number."""
    plain = text.strip(" ")
    if WHOLE.fullmatch(plain):
        return int(plain)
    return float(plain) if DECIMAL.fullmatch(plain) else text


def shown(value: object) -> str:
    """Return a value that somebody sent, short and printable, for use in a message."""
    short = Repr()
    short.maxstring = short.maxother = short.maxlong = LONGEST_SHOWN
    return short.repr(value)[: 2 * LONGEST_SHOWN]
