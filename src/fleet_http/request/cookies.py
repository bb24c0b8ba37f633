"""The cookies of a user, by the rules of requests, which are those of ``http.cookiejar``.

Those rules cost more than a whole request. They are asked again only when a cookie came, went or
expired; until then the header for a path is the one of before.
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

# Headers that are remembered; beyond, they are made anew.
KEPT = 256


class Asked:
    """A request as ``http.cookiejar`` wants to see it."""

    unverifiable = False

    def __init__(self, target: Url) -> None:
        origin = target.origin
        self._url = target.url
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


class Told:
    """An answer as ``http.cookiejar`` wants to see it."""

    def __init__(self, lines: bytes) -> None:
        self._headers = Message()
        for name, value in pairs(lines):
            if name.lower() == "set-cookie":
                self._headers["Set-Cookie"] = value

    def info(self) -> Message:
        return self._headers


class Cookies(RequestsCookieJar):
    """A jar that remembers the headers it made."""

    # By domain, path and name, as the jars of the standard library keep them.
    _cookies: dict[str, dict[str, dict[str, Cookie]]]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._headers: dict[tuple[str, str, str], bytes] = {}
        self._good_until = 0.0
        # Whether there may be any: most users of most tests have none.
        self.filled = False

    def line(self, target: Url) -> bytes:
        """Return the header line that a request to the target gets, b"" for none."""
        now = time()
        if now >= self._good_until:
            self._headers.clear()
            ends = [cookie.expires for cookie in self if cookie.expires is not None]
            self._good_until = min([end for end in ends if end > now], default=float("inf"))
        origin = target.origin
        key = origin.scheme, origin.host, target.path.partition("?")[0]
        line = self._headers.get(key)
        if line is None:
            asked = Asked(target)
            self.add_cookie_header(asked)  # type: ignore[arg-type]
            line = header_line(("Cookie", asked.cookie)) if asked.cookie else b""
            if len(self._headers) >= KEPT:
                self._headers.clear()
            self._headers[key] = line
        return line

    def learn(self, target: Url, lines: bytes) -> None:
        """Keep what an answer to the target sets."""
        self.extract_cookies(Told(lines), Asked(target))  # type: ignore[arg-type]

    def set_cookie(self, cookie: Cookie, *args: Any, **kwargs: Any) -> None:
        self.filled = True
        known = self._cookies.get(cookie.domain, {}).get(cookie.path, {}).get(cookie.name)
        if known is not None and known is not cookie and vars(known) == vars(cookie):
            # As of a server that sets the same cookie in each answer.
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
