"""Read what the head of an answer says, once somebody asks; llhttp has found it valid."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

# Names of fields are matched without regard to case; llhttp refuses lines that go on in the next.
NOTABLE = re.compile(rb"\n(set-cookie|content-encoding):[ \t]*([^\r]*)", re.IGNORECASE)
FRAMING = re.compile(rb"\r\n(?:content-length|transfer-encoding):", re.IGNORECASE)


class ResponseHeaders(Mapping[str, str]):
    """Told apart without regard to case; what came more than once is joined with commas."""

    __slots__ = ("_items",)

    def __init__(self, lines: bytes) -> None:
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
    """Return what the status line says after the status."""
    words = lines[: lines.find(b"\r\n")].decode("latin-1").split(" ", 2)
    return words[2].strip() if len(words) > 2 else ""


def looked_into(lines: bytes) -> tuple[bool, str]:
    """Return what has to be known of each answer: whether it sets cookies; its Content-Encoding."""
    found = NOTABLE.findall(lines)
    if not found:
        return False, ""
    encodings = [value for name, value in found if name[:1] in b"Cc"]
    return len(encodings) < len(found), b",".join(encodings).decode("latin-1")


def framed(lines: bytes) -> bool:
    """Tell whether the body ends by its framing, and not with the connection."""
    return FRAMING.search(lines) is not None
