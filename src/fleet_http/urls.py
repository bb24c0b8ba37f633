"""Where a URL leads, and the first lines of a request for it; parsed once for each URL."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import unquote, urlencode, urlsplit, urlunsplit

from requests.exceptions import InvalidSchema, InvalidURL, RequestException
from requests.models import PreparedRequest
from requests.utils import get_auth_from_url

DEFAULT_PORTS = {"http": 80, "https": 443}
# Base URLs, and URLs of each; a scenario may invent any number of URLs.
MAX_CACHED = 2048
# What every client sends unchanged. Paths with "." or ".." are left to requests, which may
# normalize them.
PLAIN = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9_~.-]*)*/?(?:\?[A-Za-z0-9_~.=&+-]+)?")
PLAIN_QUERY = re.compile(r"[A-Za-z0-9_~.=&+%-]*")


class Origin(NamedTuple):
    """The server that a URL names."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Url:
    """A parsed URL."""

    text: str
    origin: Origin
    # Path and query, as the server gets them.
    path: str
    # The request line without its method.
    request_line: bytes
    host_header: bytes
    # Both of them, which is what most requests send.
    request_head: bytes
    auth: tuple[str, str] | None

    @classmethod
    def parse(cls, text: str, params: Any = None) -> Url:
        """Parse an absolute URL as requests does, with ``params`` added to its query.

        Raises requests' InvalidURL, InvalidSchema and MissingSchema.
        """
        prepared = PreparedRequest()
        try:
            prepared.prepare_url(text, params)
            whole = prepared.url or ""
            parts = urlsplit(whole)
            scheme, port = parts.scheme.lower(), parts.port
        except RequestException:
            raise
        except ValueError as error:
            raise InvalidURL(f"the URL '{text}' cannot be parsed: {error}") from error
        if scheme not in DEFAULT_PORTS:
            raise InvalidSchema(f"no connection for '{text}'; use http:// or https://")
        user, password = get_auth_from_url(whole)
        auth = (user, password) if user or password else None
        origin = Origin(scheme, parts.hostname or "", port or DEFAULT_PORTS[scheme])
        host = parts.netloc.rpartition("@")[2].removesuffix(f":{DEFAULT_PORTS[scheme]}")
        path = prepared.path_url
        return cls._with_lines(whole, origin, path, f"Host: {host}\r\n".encode("ascii"), auth)

    @classmethod
    def _with_lines(
        cls, text: str, origin: Origin, path: str, host_header: bytes, auth: tuple[str, str] | None
    ) -> Url:
        request_line = f"{path} HTTP/1.1\r\n".encode("ascii")
        request_head = request_line + host_header
        return cls(text, origin, path, request_line, host_header, request_head, auth)

    def with_path(self, path: str) -> Url:
        """Return the URL of a plain path of the same origin."""
        text = self.text.removesuffix(self.path) + path
        return self._with_lines(text, self.origin, path, self.host_header, self.auth)


class Urls:
    """The parsed URLs of one base URL."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._parsed: dict[str, Url] = {}
        # What plain paths are appended to without parsing; None if that would be wrong.
        self._root: Url | None = None
        if base:
            try:
                root = Url.parse(base)
            except RequestException:
                # As with HttpUser, the request that needs the base URL raises this.
                return
            if root.text.endswith(root.path) and _is_plain(root.path) and "?" not in root.path:
                self._root = root
            self._prefix = urlsplit(base).path

    def get(self, text: str, params: Any = None) -> Url:
        """Return a parsed URL; ``text`` is absolute or is appended to the base URL."""
        if not params:
            return self._parsed.get(text) or self._keep(text, self._parse(text))
        if self._root and isinstance(params, dict) and "?" not in text and _is_plain(text):
            pairs = [pair for pair in params.items() if pair[1] is not None]
            if all(isinstance(value, (str, int, float)) for _, value in pairs):
                query = urlencode(pairs)
                if query and PLAIN_QUERY.fullmatch(query):
                    return self._root.with_path(f"{self._prefix}{text}?{query}")
        return Url.parse(self._absolute(text), params)

    def get_absolute(self, text: str) -> Url:
        """Return a parsed absolute URL."""
        return self._parsed.get(text) or self._keep(text, Url.parse(text))

    def _parse(self, text: str) -> Url:
        if self._root and _is_plain(text):
            return self._root.with_path(self._prefix + text)
        return Url.parse(self._absolute(text))

    def _absolute(self, text: str) -> str:
        absolute = text[:8].lower().startswith(("http://", "https://"))
        return text if absolute else f"{self._base}{text}"

    def _keep(self, text: str, url: Url) -> Url:
        if len(self._parsed) >= MAX_CACHED:
            self._parsed.clear()
        self._parsed[text] = url
        return url


@lru_cache(MAX_CACHED)
def urls_of(base: str) -> Urls:
    """Return the parsed URLs of a base URL, which all users of a host share."""
    return Urls(base)


def without_credentials(base: str) -> tuple[str, tuple[str, str] | None]:
    """Split a base URL into the URL alone and its user and password, as HttpUser does."""
    parts = urlsplit(base)
    if not (parts.username and parts.password):
        return base, None
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return bare, (unquote(parts.username), unquote(parts.password))


def _is_plain(text: str) -> bool:
    return text.startswith("/") and PLAIN.fullmatch(text) is not None
