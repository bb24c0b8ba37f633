"""Proxies: which one a request takes, and how a tunnel through it is opened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from requests.auth import _basic_auth_str
from requests.utils import select_proxy

from fleet_http.connection.transport import Transport
from fleet_http.errors import BadRequest, ConnectionLost, ProxyRefused
from fleet_http.urls import Origin

HEAD_LIMIT = 65536


class Proxy(NamedTuple):
    """Whom the connection is made to, and the header line that says who asks, b"" for nobody."""

    host: str
    port: int
    credentials: bytes


def proxy_for(url: str, proxies: Mapping[str, str] | None) -> Proxy | None:
    """Return the proxy for a URL, by requests' rules for the keys; raises BadRequest."""
    given = select_proxy(url, dict(proxies)) if proxies else None
    if not given:
        return None
    try:
        parts = urlsplit(given if "://" in given else f"http://{given}")
        host, port = parts.hostname, parts.port
    except ValueError:
        # Its words may hold a part of the password.
        raise BadRequest("the proxy cannot be read; use http://user:password@host:port") from None
    if parts.scheme != "http" or not host:
        raise BadRequest(f"no way through a proxy of scheme {parts.scheme}; use http://host:port")
    credentials = b""
    if parts.username:
        basic = _basic_auth_str(unquote(parts.username), unquote(parts.password or ""))
        credentials = f"Proxy-Authorization: {basic}\r\n".encode("latin-1")
    return Proxy(host, port or 80, credentials)


def open_tunnel(link: Transport, origin: Origin, proxy: Proxy) -> None:
    """Let the proxy connect to the origin; raises ProxyRefused, ConnectionLost, ResponseTimeout."""
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    place = f"{host}:{origin.port}".encode("ascii")
    link.send(b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (place, place, proxy.credentials))
    answer = b""
    while b"\r\n\r\n" not in answer:
        if len(answer) > HEAD_LIMIT:
            raise ProxyRefused("the proxy answered CONNECT without end")
        part = link.receive()
        if not part:
            raise ConnectionLost("the proxy closed the connection")
        answer += part
    status = answer[:12].decode("latin-1")
    if not (status.startswith("HTTP/1.") and status.endswith(" 200")):
        raise ProxyRefused(f"the proxy answered CONNECT with {status!r}")
    if not answer.endswith(b"\r\n\r\n") or answer.count(b"\r\n\r\n") > 1:
        # In TLS the client speaks first.
        raise ProxyRefused("the proxy answered CONNECT with more than a head")
