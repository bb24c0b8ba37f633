"""Where a URL leads and how the first lines of a request for it read; made once for each URL."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import unquote, urlencode, urlsplit, urlunsplit

from requests.exceptions import InvalidSchema, InvalidURL, RequestException
from requests.models import PreparedRequest
from requests.utils import get_auth_from_url

DEFAULT_PORTS = {"http": 80, "https": 443}
# Of one base URL; a scenario may make up URLs without end.
KEPT = 2048
# What every client sends as it stands. Dots are left to requests, which may resolve them.
PLAIN = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9_~.-]*)*/?(?:\?[A-Za-z0-9_~.=&+-]+)?")
PLAIN_QUERY = re.compile(r"[A-Za-z0-9_~.=&+%-]*")


class Origin(NamedTuple):
    """Whom a connection is made to."""

    scheme: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Url:
    """A URL, read."""

    url: str
    origin: Origin
    # As it is sent to the server: path and query.
    path: str
    # The rest of the request line after the method.
    bare: bytes
    host: bytes
    # Both, for most requests.
    line: bytes
    auth: tuple[str, str] | None

    @classmethod
    def of(cls, url: str, params: Any = None) -> Url:
        """Read an absolute URL as requests does; raises its InvalidURL and MissingSchema."""
        prepared = PreparedRequest()
        try:
            prepared.prepare_url(url, params)
            whole = prepared.url or ""
            parts = urlsplit(whole)
            scheme, port = parts.scheme.lower(), parts.port
        except RequestException:
            raise
        except ValueError as error:
            raise InvalidURL(f"the URL '{url}' cannot be read: {error}") from error
        if scheme not in DEFAULT_PORTS:
            raise InvalidSchema(f"no connection for '{url}'; use http:// or https://")
        host = parts.hostname or ""
        user, password = get_auth_from_url(whole)
        auth = (user, password) if user or password else None
        origin = Origin(scheme, host, port or DEFAULT_PORTS[scheme])
        return cls._made(whole, origin, parts.netloc.rpartition("@")[2], prepared.path_url, auth)

    @classmethod
    def _made(
        cls, url: str, origin: Origin, host: str, path: str, auth: tuple[str, str] | None
    ) -> Url:
        default = f":{DEFAULT_PORTS[origin.scheme]}"
        bare = f"{path} HTTP/1.1\r\n".encode("ascii")
        host_line = f"Host: {host.removesuffix(default)}\r\n".encode("ascii")
        return cls(url, origin, path, bare, host_line, bare + host_line, auth)

    def at(self, path: str) -> Url:
        """Return the target of a plain path of the same origin."""
        bare = f"{path} HTTP/1.1\r\n".encode("ascii")
        url = self.url.removesuffix(self.path) + path
        return Url(url, self.origin, path, bare, self.host, bare + self.host, self.auth)


class Urls:
    """The targets of one base URL, which its users share."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._known: dict[str, Url] = {}
        self._root: Url | None = None
        if base:
            try:
                root = Url.of(base)
            except RequestException:
                # As with HttpUser, whoever needs it is told.
                return
            if root.url.endswith(root.path) and _plain(root.path) and "?" not in root.path:
                self._root = root
            self._prefix = urlsplit(base).path

    def get(self, url: str, params: Any = None) -> Url:
        """Return the target of a URL, which may be only what follows the base."""
        if not params:
            return self._known.get(url) or self._keep(url, self._read(url))
        if self._root and isinstance(params, dict) and "?" not in url and _plain(url):
            pairs = [pair for pair in params.items() if pair[1] is not None]
            if all(isinstance(value, (str, int, float)) for _, value in pairs):
                query = urlencode(pairs)
                if query and PLAIN_QUERY.fullmatch(query):
                    return self._root.at(f"{self._prefix}{url}?{query}")
        return Url.of(self._whole(url), params)

    def at(self, url: str) -> Url:
        """Return the target of an absolute URL."""
        return self._known.get(url) or self._keep(url, Url.of(url))

    def _read(self, url: str) -> Url:
        if self._root and _plain(url):
            return self._root.at(self._prefix + url)
        return Url.of(self._whole(url))

    def _whole(self, url: str) -> str:
        absolute = url[:8].lower().startswith(("http://", "https://"))
        return url if absolute else f"{self._base}{url}"

    def _keep(self, url: str, target: Url) -> Url:
        if len(self._known) >= KEPT:
            self._known.clear()
        self._known[url] = target
        return target


_targets: dict[str, Urls] = {}


def urls_of(base: str) -> Urls:
    """Return those of a base URL; all users of a host share them."""
    if base not in _targets:
        if len(_targets) >= KEPT:
            _targets.clear()
        _targets[base] = Urls(base)
    return _targets[base]


def without_credentials(base: str) -> tuple[str, tuple[str, str] | None]:
    """Part a base URL from the user and password it may hold, as HttpUser does."""
    parts = urlsplit(base)
    if not (parts.username and parts.password):
        return base, None
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return bare, (unquote(parts.username), unquote(parts.password))


def _plain(url: str) -> bool:
    return url.startswith("/") and PLAIN.fullmatch(url) is not None
