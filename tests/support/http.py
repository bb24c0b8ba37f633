"""Ask servers as a person would who only wants to know whether they are there."""

import urllib.request
from collections.abc import Mapping


def answers(url: str, headers: Mapping[str, str] | None = None) -> bool:
    """Tell whether a server answers, and that all is well."""
    request = urllib.request.Request(url, headers=dict(headers or {}))
    try:
        with urllib.request.urlopen(request, timeout=2):
            return True
    except OSError:
        return False
