"""What the users are asked to do, by what it is about."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path


def load() -> None:
    """Fill the table."""
    for file in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        import_module(f"{__name__}.{file.stem}")
