"""How a process knows that a request comes through the front, nginx, and not past it."""

from __future__ import annotations

import hmac

# nginx sets it on each request that it passes on, with the value of FRONT_SECRET.
SECRET_HEADER = "X-Fleet-Front"


def matches_secret(given: str, secret: str) -> bool:
    """Tell whether what was sent is the secret, in a time that says nothing about the secret."""
    return hmac.compare_digest(given.encode(), secret.encode())
