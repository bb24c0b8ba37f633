"""Replace an attribute of a library that has no option for it; contract.py lists each use."""

from __future__ import annotations


def replace(owner: object, name: str, value: object) -> None:
    """Replace an attribute; raises AttributeError if the library no longer has it."""
    getattr(owner, name)
    setattr(owner, name, value)
