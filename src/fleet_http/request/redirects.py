"""Decide where a redirect leads and what the next request carries, by requests' rules. Pure."""

from __future__ import annotations

from urllib.parse import urldefrag, urljoin, urlsplit

from requests.sessions import Session
from requests.utils import requote_uri

STATUSES = frozenset((301, 302, 303, 307, 308))
# Statuses after which the body is sent again.
SAME_BODY = frozenset((307, 308))

_RULES = Session()


def next_url(url: str, location: str) -> str:
    """Return the absolute URL of a Location header, given as latin-1 text; raises ValueError."""
    # Servers send characters beyond ASCII as UTF-8.
    location = location.encode("latin-1").decode("utf-8", "replace")
    if location.startswith("//"):
        location = f"{urlsplit(url).scheme}:{location}"
    bare, fragment = urldefrag(location)
    fragment = fragment or urlsplit(url).fragment
    bare = requote_uri(bare)
    if not urlsplit(bare).netloc:
        bare = urljoin(url, bare)
    return f"{bare}#{fragment}" if fragment else bare


def next_method(method: str, status: int) -> str:
    """Return the method of the request that follows a redirect."""
    if status in (302, 303) and method != "HEAD":
        return "GET"
    if status == 301 and method == "POST":
        return "GET"
    return method


def keeps_authorization(url: str, redirect_url: str) -> bool:
    """Tell whether the request for the next URL keeps the Authorization header."""
    return not _RULES.should_strip_auth(url, redirect_url)
