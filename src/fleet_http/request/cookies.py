"""The cookies of a user, by the rules of requests, which are those of ``http.cookiejar``.

Applying those rules costs more than a whole request. It happens only when a cookie was added,
removed or has expired; until then the Cookie header of a path is cached.
"""

from __future__ import annotations

from email.message import Message
from http.cookiejar import Cookie, CookieJar
from time import time
from typing import Any

from requests.cookies import RequestsCookieJar

from fleet_http.request.headers import line as header_line
from fleet_http.response_head import pairs
from fleet_http.urls import Url

# Cookie headers of different paths; the cache is emptied when it is full.
MAX_CACHED_HEADERS = 256


class CookieRequest:
    """A request with the interface that ``http.cookiejar`` expects."""

    unverifiable = False

    def __init__(self, url: Url) -> None:
        origin = url.origin
        self._url = url.text
        self.host = self.origin_req_host = origin.host
        self.type = origin.scheme
        self.cookie = ""

    def get_full_url(self) -> str:
        return self._url

    def has_header(self, name: str) -> bool:
        return False

    def add_unredirected_header(self, name: str, value: str) -> None:
        if name == "Cookie":
            self.cookie = value


class CookieResponse:
    """A response with the interface that ``http.cookiejar`` expects."""

    def __init__(self, lines: bytes) -> None:
        self._headers = Message()
        for name, value in pairs(lines):
            if name.lower() == "set-cookie":
                self._headers["Set-Cookie"] = value

    def info(self) -> Message:
        return self._headers


class Cookies(RequestsCookieJar):
    """A cookie jar that caches the Cookie headers."""

    # By domain, path and name, as the standard library's jars keep them.
    _cookies: dict[str, dict[str, dict[str, Cookie]]]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._headers: dict[tuple[str, str, str], bytes] = {}
        self._good_until = 0.0
        # Whether a cookie was ever set: most users of most tests have none.
        self.filled = False

    def line(self, url: Url) -> bytes:
        """Return the Cookie header of a request for ``url`` as it is sent, b"" for none."""
        now = time()
        if now >= self._good_until:
            self._headers.clear()
            ends = [cookie.expires for cookie in self if cookie.expires is not None]
            self._good_until = min([end for end in ends if end > now], default=float("inf"))
        origin = url.origin
        key = origin.scheme, origin.host, url.path.partition("?")[0]
        line = self._headers.get(key)
        if line is None:
            request = CookieRequest(url)
            self.add_cookie_header(request)  # type: ignore[arg-type]
            line = header_line(("Cookie", request.cookie)) if request.cookie else b""
            if len(self._headers) >= MAX_CACHED_HEADERS:
                self._headers.clear()
            self._headers[key] = line
        return line

    def keep(self, url: Url, lines: bytes) -> None:
        """Keep the cookies that a response for ``url`` sets; ``lines`` is its head."""
        self.extract_cookies(CookieResponse(lines), CookieRequest(url))  # type: ignore[arg-type]

    def set_cookie(self, cookie: Cookie, *args: Any, **kwargs: Any) -> None:
        self.filled = True
        known = self._cookies.get(cookie.domain, {}).get(cookie.path, {}).get(cookie.name)
        if known is not None and known is not cookie and vars(known) == vars(cookie):
            # Some servers set the same cookie in every response; the cache stays good.
            return
        self._forget()
        super().set_cookie(cookie, *args, **kwargs)

    def clear(self, *args: Any, **kwargs: Any) -> None:
        self._forget()
        super().clear(*args, **kwargs)

    def _forget(self) -> None:
        self._headers.clear()
        self._good_until = 0.0


def add_to(jar: Cookies, cookies: Any) -> None:
    """Put cookies, a jar or a mapping, into a jar."""
    if isinstance(cookies, CookieJar):
        for cookie in cookies:
            jar.set_cookie(cookie)
    else:
        for name, value in dict(cookies or {}).items():
            jar.set(name, value)
