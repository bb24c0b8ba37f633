"""Headers of requests: named in any case, and encoded only when they change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import NamedTuple

from requests.exceptions import InvalidHeader
from requests.utils import check_header_validity

from fleet_http.errors import BadRequest

# Blocks for different headers of single requests; the cache is emptied when it is full.
MAX_CACHED_BLOCKS = 64

HeaderMapping = Mapping[str, "str | bytes | None"]


class Block(NamedTuple):
    """Header lines as they are sent, and their names in lower case."""

    lines: bytes
    names: frozenset[str]


class Headers(MutableMapping[str, str]):
    """The headers of every request of a client."""

    def __init__(self, given: HeaderMapping | None = None) -> None:
        self._items: dict[str, tuple[str, str | bytes]] = {}
        self._blocks: dict[object, Block] = {}
        for name, value in (given or {}).items():
            if value is not None:
                self[name] = value  # type: ignore[assignment]

    def block(self, given: HeaderMapping | None) -> Block:
        """Return these headers with those of one request, where None removes a header.

        Raises BadRequest for a header that cannot be sent.
        """
        key = tuple(given.items()) if given else ()
        try:
            block = self._blocks.get(key)
        except TypeError:
            # A value that cannot be hashed is no text, which raises BadRequest when it is encoded.
            return self._encoded(given)
        if block is None:
            block = self._encoded(given)
            if len(self._blocks) >= MAX_CACHED_BLOCKS:
                self._blocks.clear()
            self._blocks[key] = block
        return block

    def _encoded(self, given: HeaderMapping | None) -> Block:
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
    """Return a header as it is sent; raises BadRequest, without the value, which may be secret."""
    name, value = header
    try:
        check_header_validity(header)  # type: ignore[type-var]
        return b"%b: %b\r\n" % (_as_bytes(name), _as_bytes(value))
    except InvalidHeader:
        problem = "is not one line of text without spaces around it"
    except UnicodeEncodeError:
        problem = "is not latin-1; give it as bytes"
    raise BadRequest(f"the header {name!r} {problem}")


def _as_bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else value.encode("latin-1")


def as_text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
