"""Decide whether load may go to an address. Pure: master and worker look and refuse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from posixpath import normpath
from urllib.parse import urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


@dataclass(frozen=True)
class TargetPattern:
    """One entry of the allow-list; a scheme or port of None matches any."""

    scheme: str | None
    host: str
    port: int | None

    @classmethod
    def parse(cls, entry: str) -> TargetPattern:
        """Read ``host``, ``host:port`` or ``scheme://host[:port]``, with ``*`` in the host.

        Without a port, a pattern with a scheme matches the default port of the scheme, a pattern
        without a scheme every port. ``unix:///path`` is a socket on the worker's host, which no
        other pattern matches. Raises ValueError for anything else.
        """
        if entry.strip().startswith("unix:///"):
            return cls("unix", entry.strip().removeprefix("unix://"), None)
        text = entry.strip().lower()
        scheme, separator, rest = text.rpartition("://")
        host, port = _split_port(rest)
        if (separator and scheme not in DEFAULT_PORTS) or not host or set(host) & set("/@?# \\"):
            raise ValueError(
                f"'{entry}' is not a target; use a host, host:port or http(s)://host[:port],"
                " * matches any text in the host"
            )
        if separator and port is None:
            port = DEFAULT_PORTS[scheme]
        return cls(scheme or None, host, port)

    def matches(self, scheme: str | None, host: str, port: int) -> bool:
        """Tell whether an address matches; the scheme is None where the client does not know it."""
        return (
            (self.scheme is None or scheme is None or self.scheme == scheme)
            and (self.port is None or self.port == port)
            and fnmatchcase(host, self.host)
        )


@dataclass(frozen=True)
class Allowlist:
    """The addresses that load may go to."""

    patterns: tuple[TargetPattern, ...]
    entries: tuple[str, ...]

    @classmethod
    def parse(cls, entries: Sequence[str]) -> Allowlist:
        """Read the entries of ALLOWED_TARGETS; ValueError names the first wrong one."""
        return cls(tuple(TargetPattern.parse(entry) for entry in entries), tuple(entries))

    def allows_url(self, url: str) -> bool:
        """Tell whether the origin of a URL is allowed; an ambiguous URL is not."""
        # Clients differ in how they read a backslash, a control character or a blank, and Locust's
        # page removes angle brackets.
        if not url.isprintable() or any(char in " \\<>" for char in url):
            return False
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            return False
        if not host or parts.scheme not in DEFAULT_PORTS:
            return False
        return self.allows(parts.scheme, host, port or DEFAULT_PORTS[parts.scheme])

    def allows(self, scheme: str | None, host: str, port: int) -> bool:
        """Tell whether a connection is allowed; the scheme may be None, for unknown."""
        name = host.lower().strip("[]").rstrip(".")
        return any(pattern.matches(scheme, name, port) for pattern in self.patterns)

    def allows_socket(self, path: str) -> bool:
        """Tell whether a unix socket is allowed, which only unix:// patterns do."""
        # What a * matches must not lead out of the folder.
        return path == normpath(path) and any(
            pattern.scheme == "unix" and fnmatchcase(path, pattern.host)
            for pattern in self.patterns
        )

    def refusal(self, target: str) -> str:
        """Return a sentence that says why a target is refused and how to allow it."""
        return (
            f"{target or 'no target'} is not in ALLOWED_TARGETS ({', '.join(self.entries)});"
            " an administrator can add it in .env and deploy again"
        )


def without_credentials(url: str) -> str:
    """Return a URL without user and password, for records that other people read."""
    scheme, separator, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}{separator}{authority.rpartition('@')[2]}{slash}{path}"


def _split_port(text: str) -> tuple[str, int | None]:
    """Split host and port; an IPv6 address with a port is written in brackets."""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    else:
        return text, None
    if not port:
        return host, None
    if not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise ValueError(f"'{text}' has port '{port}'; use 1 to 65535")
    return host, int(port)
