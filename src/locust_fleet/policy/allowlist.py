"""Decide whether load may go to an address. Pure: master and worker guards look and act."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from posixpath import normpath
from urllib.parse import urlsplit

DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


@dataclass(frozen=True)
class TargetPattern:
    """One entry of the allow-list; scheme and port are None where any will do."""

    scheme: str | None
    host: str
    port: int | None

    @classmethod
    def parse(cls, entry: str) -> TargetPattern:
        """Read ``host``, ``host:port`` or ``scheme://host[:port]``, with ``*`` in the host.

        Without a port, a pattern with a scheme means the scheme's own port and a pattern
        without one means every port. ``unix:///path`` is a socket on the worker's own host,
        which no other pattern means. Raises ValueError for anything else.
        """
        if entry.strip().startswith("unix:///"):
            return cls("unix", entry.strip().removeprefix("unix://"), None)
        text = entry.strip().lower()
        scheme, separator, rest = text.rpartition("://")
        host, port = _split_port(rest)
        if (separator and scheme not in DEFAULT_PORTS) or not host or set(host) & set("/@?# \\"):
            raise ValueError(
                f"'{entry}' is no target; use a host, host:port or http(s)://host[:port],"
                " * matches any text in the host"
            )
        if separator and port is None:
            port = DEFAULT_PORTS[scheme]
        return cls(scheme or None, host, port)

    def matches(self, scheme: str | None, host: str, port: int) -> bool:
        """Tell whether an address is meant; scheme None is a connection of unknown kind."""
        return (
            (self.scheme is None or scheme is None or self.scheme == scheme)
            and (self.port is None or self.port == port)
            and fnmatchcase(host, self.host)
        )


@dataclass(frozen=True)
class Allowlist:
    """The allow-list: where load may go."""

    patterns: tuple[TargetPattern, ...]
    entries: tuple[str, ...]

    @classmethod
    def parse(cls, entries: Sequence[str]) -> Allowlist:
        """Read the entries of ALLOWED_TARGETS; ValueError names the one that is wrong."""
        return cls(tuple(TargetPattern.parse(entry) for entry in entries), tuple(entries))

    def allows_url(self, url: str) -> bool:
        """Tell whether a URL's origin is allowed; what cannot be read for sure is not."""
        # A backslash, a control character or a blank is read differently by different clients, and
        # Locust's page takes angle brackets out.
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
        """Tell whether a connection is allowed; scheme None where the client does not know it."""
        name = host.lower().strip("[]").rstrip(".")
        return any(pattern.matches(scheme, name, port) for pattern in self.patterns)

    def allows_socket(self, path: str) -> bool:
        """Tell whether a unix socket may be connected to, as only patterns of its own allow."""
        # What a * stands for must not lead out of the folder.
        return path == normpath(path) and any(
            pattern.scheme == "unix" and fnmatchcase(path, pattern.host)
            for pattern in self.patterns
        )

    def refusal(self, target: str) -> str:
        """Say why a target is refused and what to do about it, in one sentence."""
        return (
            f"{target or 'no target'} is not in ALLOWED_TARGETS ({', '.join(self.entries)});"
            " an administrator can add it in .env and deploy again"
        )


def without_credentials(url: str) -> str:
    """Return a URL without the user and password it may hold, for records that others read."""
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
