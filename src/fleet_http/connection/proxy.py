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

MAX_HEAD_BYTES = 65536


class Proxy(NamedTuple):
    """An HTTP proxy, and the Proxy-Authorization line to send it, b"" for none."""

    host: str
    port: int
    credentials: bytes


def proxy_for(url: str, proxies: Mapping[str, str] | None) -> Proxy | None:
    """Return the proxy for a URL, None to connect directly; raises BadRequest.

    The keys of ``proxies`` are those of requests: "http", "https", "all", "http://host".
    """
    given = select_proxy(url, dict(proxies)) if proxies else None
    if not given:
        return None
    try:
        parts = urlsplit(given if "://" in given else f"http://{given}")
        host, port = parts.hostname, parts.port
    except ValueError:
        # The message of urlsplit may contain a part of the password.
        raise BadRequest("the proxy cannot be parsed; use http://user:password@host:port") from None
    if parts.scheme != "http" or not host:
        raise BadRequest(f"a proxy of scheme {parts.scheme} is not supported; use http://host:port")
    credentials = b""
    if parts.username:
        basic = _basic_auth_str(unquote(parts.username), unquote(parts.password or ""))
        credentials = f"Proxy-Authorization: {basic}\r\n".encode("latin-1")
    return Proxy(host, port or 80, credentials)


def open_tunnel(transport: Transport, origin: Origin, proxy: Proxy) -> None:
    """Have the proxy connect to the origin.

    Raises ProxyRefused, ConnectionLost, ResponseTimeout, OSError.
    """
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    address = f"{host}:{origin.port}".encode("ascii")
    transport.send(
        b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (address, address, proxy.credentials)
    )
    head = b""
    while b"\r\n\r\n" not in head:
        if len(head) > MAX_HEAD_BYTES:
            raise ProxyRefused(f"the proxy answered CONNECT with more than {MAX_HEAD_BYTES} bytes")
        part = transport.receive()
        if not part:
            raise ConnectionLost("the proxy closed the connection")
        head += part
    status = head[:12].decode("latin-1")
    if not (status.startswith("HTTP/1.") and status.endswith(" 200")):
        raise ProxyRefused(f"the proxy answered CONNECT with {status!r}")
    if not head.endswith(b"\r\n\r\n") or head.count(b"\r\n\r\n") > 1:
        # In TLS the client sends first.
        raise ProxyRefused("the proxy answered CONNECT with more than a head")
