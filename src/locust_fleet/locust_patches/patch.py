"""Replace a function of a library where it offers no option.

Each use stands in a file of its own that names the upstream behaviour which forces it.
"""

from __future__ import annotations


def replace(owner: object, name: str, value: object) -> None:
    """Replace an attribute; AttributeError when the library no longer has what we know."""
    getattr(owner, name)
    setattr(owner, name, value)
