"""Where two outcomes differ, and whether that is written down."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from tests.integration.fleet_http.table import Differences

# What is told in each user's own words.
WORDS = ("error", "reasons")


def judge(
    expected: dict[str, Any], actual: dict[str, Any], written: Differences, everywhere: Differences
) -> list[str]:
    """Return what is wrong: differences that nobody wrote down, and written ones that are none.

    Those that are written for everywhere need not occur.
    """
    one, other = dict(leaves(expected)), dict(leaves(actual))
    found = {
        path
        for path in {**one, **other}
        if path not in one or path not in other or one[path] != other[path]
        if path.partition(".")[0] not in WORDS
    }
    known = {path: paths(path, found) for path in (*written, *everywhere)}
    unknown = found.difference(*known.values())
    return [
        f"{path}: {one.get(path, '(none)')!r} became {other.get(path, '(none)')!r}"
        for path in sorted(unknown)
    ] + [f"{path} does not differ any more: {written[path]}" for path in written if not known[path]]


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each plain value with its path, as in ``seen.0.headers.host.0``."""
    pairs: Any = ()
    if isinstance(value, dict):
        pairs = value.items()
    elif isinstance(value, list):
        pairs = enumerate(value)
    if not pairs or not value:
        yield path, value
        return
    for key, one in pairs:
        yield from leaves(one, f"{path}.{key}" if path else str(key))


def paths(pattern: str, found: set[str]) -> set[str]:
    """Return what a pattern means: itself, all below it, and all that ``*`` matches."""
    return {
        path for path in found if fnmatchcase(path, pattern) or fnmatchcase(path, f"{pattern}.*")
    }
