"""Check whether a library's source has changed since our replacement of it was written."""

from __future__ import annotations

import hashlib
import importlib
import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

# Enough digits to distinguish two sources.
DIGITS = 12


@dataclass(frozen=True, slots=True)
class Upstream:
    """A piece of a library's source that our code replaces, or depends on in detail."""

    # Such as "locust.runners:MasterRunner.start".
    name: str
    # Our module, below src.
    ours: str
    # Why no event, option or argument of the library is enough.
    why: str
    digest: str


def upstream_of(ours: str, pieces: Mapping[str, tuple[str, str]]) -> tuple[Upstream, ...]:
    """Return the pieces that a module of ours stands in for: by name, the digest and the reason."""
    return tuple(Upstream(name, ours, why, digest) for name, (digest, why) in pieces.items())


def source_of(name: str) -> str:
    """Return the source of a name; "" if the library no longer has it.

    Of a value that is neither function nor class, such as a number, return its repr.
    """
    module, _, path = name.partition(":")
    found: object = importlib.import_module(module)
    for part in path.split("."):
        if not hasattr(found, part):
            return ""
        found = inspect.getattr_static(found, part)
    if isinstance(found, property):
        found = found.fget
    if isinstance(found, staticmethod | classmethod):
        found = found.__func__
    found = getattr(found, "__wrapped__", found)
    if inspect.isfunction(found) or inspect.isclass(found):
        return inspect.getsource(found)
    return repr(found)


def digest_of(name: str) -> str:
    """Return the digest of a name's source; "" if it is gone."""
    source = source_of(name)
    return hashlib.sha256(source.encode()).hexdigest()[:DIGITS] if source else ""


def changed(contract: Iterable[Upstream]) -> list[Upstream]:
    """Return the entries whose source in the installed libraries differs from their digest."""
    return [entry for entry in contract if digest_of(entry.name) != entry.digest]


def report(contract: Sequence[Upstream]) -> int:
    """Print a line for each entry that has changed; return 1 if any has, as an exit code."""
    import locust

    found = changed(contract)
    for entry in found:
        what = "has changed" if digest_of(entry.name) else "is gone"
        print(f"{entry.name} {what}; review {entry.ours}: {entry.why}")
    print(f"Locust {locust.__version__}: {len(found)} of {len(contract)} have changed")
    return 1 if found else 0
