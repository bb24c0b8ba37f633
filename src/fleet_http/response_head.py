"""Parse the head of a response, when it is asked for; llhttp has found it valid by then."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

# Header names are matched without regard to case; llhttp refuses folded lines.
NOTABLE = re.compile(rb"\n(set-cookie|content-encoding):[ \t]*([^\r]*)", re.IGNORECASE)
FRAMING = re.compile(rb"\r\n(?:content-length|transfer-encoding):", re.IGNORECASE)


class ResponseHeaders(Mapping[str, str]):
    """Headers by name, in any case; values of a repeated header are joined with commas."""

    __slots__ = ("_items",)

    def __init__(self, lines: bytes) -> None:
        """``lines``: the head with its first line, without the empty line at its end."""
        self._items: dict[str, tuple[str, str]] = {}
        for name, value in pairs(lines):
            key = name.lower()
            before = self._items.get(key)
            self._items[key] = (before[0], f"{before[1]}, {value}") if before else (name, value)

    def __getitem__(self, name: str) -> str:
        return self._items[name.lower()][1]

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._items.values())

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return repr(dict(self.items()))


def pairs(lines: bytes) -> Iterator[tuple[str, str]]:
    """Return names and values in the order in which they came."""
    for line in lines.split(b"\r\n")[1:-1]:
        name, _, value = line.decode("latin-1").partition(":")
        yield name, value.strip(" \t")


def reason(lines: bytes) -> str:
    """Return the reason phrase, which follows the status in the first line."""
    words = lines[: lines.find(b"\r\n")].decode("latin-1").split(" ", 2)
    return words[2].strip() if len(words) > 2 else ""


def cookies_and_encoding(lines: bytes) -> tuple[bool, str]:
    """Return whether a response sets cookies, and its Content-Encoding, "" for none."""
    found = NOTABLE.findall(lines)
    if not found:
        return False, ""
    encodings = [value for name, value in found if name[:1] in b"Cc"]
    return len(encodings) < len(found), b",".join(encodings).decode("latin-1")


def has_framing(lines: bytes) -> bool:
    """Tell whether the head says where the body ends; if not, it ends with the connection."""
    return FRAMING.search(lines) is not None
