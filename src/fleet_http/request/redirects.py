"""Decide where a redirect leads and what of the request goes there: the rules of requests. Pure."""

from __future__ import annotations

from urllib.parse import urldefrag, urljoin, urlsplit

from requests.sessions import Session
from requests.utils import requote_uri

STATUSES = frozenset((301, 302, 303, 307, 308))
# Those that send the body again.
SAME_BODY = frozenset((307, 308))

_RULES = Session()


def next_url(url: str, location: str) -> str:
    """Return the absolute URL that a Location header, as latin-1 text, means; raises ValueError."""
    # Not ASCII, it is UTF-8 in practice.
    place = location.encode("latin-1").decode("utf-8", "replace")
    if place.startswith("//"):
        place = f"{urlsplit(url).scheme}:{place}"
    bare, fragment = urldefrag(place)
    fragment = fragment or urlsplit(url).fragment
    bare = requote_uri(bare)
    if not urlsplit(bare).netloc:
        bare = urljoin(url, bare)
    return f"{bare}#{fragment}" if fragment else bare


def next_method(method: str, status: int) -> str:
    """Return the method of the request that follows."""
    if status in (302, 303) and method != "HEAD":
        return "GET"
    if status == 301 and method == "POST":
        return "GET"
    return method


def keeps_authorization(url: str, place: str) -> bool:
    """Tell whether the next place may see the Authorization header."""
    return not _RULES.should_strip_auth(url, place)
