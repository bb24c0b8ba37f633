"""Headers of requests: told apart without regard to case, and written only when they change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import NamedTuple

from requests.exceptions import InvalidHeader
from requests.utils import check_header_validity

from fleet_http.errors import BadRequest

# Kinds of headers of single requests whose lines are kept; beyond, they are written anew.
KEPT = 64

Given = Mapping[str, "str | bytes | None"]


class Block(NamedTuple):
    """Header lines as they are sent, and which they are."""

    lines: bytes
    names: frozenset[str]


class Headers(MutableMapping[str, str]):
    """Those that every request of a client has."""

    def __init__(self, given: Given | None = None) -> None:
        self._items: dict[str, tuple[str, str | bytes]] = {}
        self._blocks: dict[object, Block] = {}
        for name, value in (given or {}).items():
            if value is not None:
                self[name] = value  # type: ignore[assignment]

    def block(self, given: Given | None) -> Block:
        """Return the lines of these headers with those of one request; None takes one away."""
        key = tuple(given.items()) if given else ()
        try:
            block = self._blocks.get(key)
        except TypeError:
            # A list, or what else is no value of a header; said when it is to be written.
            return self._written(given)
        if block is None:
            block = self._written(given)
            if len(self._blocks) >= KEPT:
                self._blocks.clear()
            self._blocks[key] = block
        return block

    def _written(self, given: Given | None) -> Block:
        items: dict[str, tuple[str | bytes, str | bytes]] = dict(self._items)
        for name, value in (given or {}).items():
            key = as_text(name).lower()
            if value is None:
                items.pop(key, None)
            else:
                items[key] = name, value
        return Block(b"".join(map(line, items.values())), frozenset(items))

    def __getitem__(self, name: str) -> str:
        return as_text(self._items[name.lower()][1])

    def __setitem__(self, name: str, value: str) -> None:
        self._items[as_text(name).lower()] = as_text(name), value
        self._blocks.clear()

    def __delitem__(self, name: str) -> None:
        del self._items[name.lower()]
        self._blocks.clear()

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._items.values())

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return repr(dict(self.items()))


def line(header: tuple[str | bytes, str | bytes]) -> bytes:
    """Return a header as it is sent; raises BadRequest, which tells no value: it may be secret."""
    name, value = header
    try:
        check_header_validity(header)  # type: ignore[type-var]
        return b"%b: %b\r\n" % (_as_bytes(name), _as_bytes(value))
    except InvalidHeader:
        problem = "is no text of one line without blanks around it"
    except UnicodeEncodeError:
        problem = "is not latin-1; give it as bytes"
    raise BadRequest(f"the header {name!r} {problem}")


def _as_bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("latin-1")


def as_text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
