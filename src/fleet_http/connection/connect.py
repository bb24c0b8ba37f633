"""Open connections: to the server or its proxy, TCP or unix, with TLS where the URL says so."""

from __future__ import annotations

import _socket
from dataclasses import dataclass
from time import perf_counter

from gevent import socket

from fleet_http.connection.proxy import Proxy, open_tunnel
from fleet_http.connection.tls_transport import Ticket, TlsConfig, TlsTransport, context_of
from fleet_http.connection.transport import Transport
from fleet_http.errors import BadRequest, ConnectionTimeout, ResponseTimeout
from fleet_http.hooks import HOOKS
from fleet_http.urls import Origin


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """How to get to an origin; connections of the same one are interchangeable."""

    origin: Origin
    trust: TlsConfig
    proxy: Proxy | None = None
    unix: str | None = None

    @property
    def peer(self) -> tuple[str, int]:
        """Whom the connection is made to."""
        return (self.proxy.host, self.proxy.port) if self.proxy else self.origin[1:]


@dataclass(slots=True)
class Opened:
    """A new connection and how long its making took, in seconds."""

    link: Transport
    connect_s: float
    tls_s: float


def connect(route: Route, timeout_s: float, ticket: Ticket | None = None) -> Opened:
    """Connect within ``timeout_s``; raises ConnectionTimeout, ssl.SSLError, OSError."""
    _ask_host_program(route)
    # First, so that what is wrong with it costs the target no connection.
    context = context_of(route.trust) if route.origin.scheme == "https" else None
    started = perf_counter()
    deadline = started + timeout_s
    try:
        if route.unix:
            sock = _unix_socket(route.unix, deadline)
        else:
            sock = _tcp_socket(*route.peer, deadline)
    except TimeoutError as error:
        raise ConnectionTimeout(f"no connection within {timeout_s:g} s") from error
    connected = perf_counter()
    if context is None:
        return Opened(Transport(sock), connected - started, 0.0)
    link = Transport(sock)
    try:
        link.deadline, link.timeout = deadline, timeout_s
        if route.proxy:
            open_tunnel(link, route.origin, route.proxy)
            connected = perf_counter()
        link = TlsTransport(link, context, route.origin.host, ticket)
        link.deadline, link.timeout = deadline, timeout_s
        link.shake_hands()
    except ResponseTimeout as error:
        link.close()
        raise ConnectionTimeout(f"no TLS handshake within {timeout_s:g} s") from error
    except BaseException:
        link.close()
        raise
    return Opened(link, connected - started, perf_counter() - connected)


def _ask_host_program(route: Route) -> None:
    """Raise what ``may_connect`` raises; the origin is asked about also behind a proxy."""
    may_connect = HOOKS.may_connect
    may_connect(*route.origin)
    if route.proxy:
        may_connect("http", *route.peer)
    if route.unix:
        may_connect("unix", route.unix, 0)


def _tcp_socket(host: str, port: int, deadline: float) -> _socket.socket:
    """Connect; each address gets an equal share of the time that is left."""
    try:
        found = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
    except UnicodeError as error:
        raise BadRequest(f"{host!r} is no name of a host") from error
    problem: OSError = OSError(f"the name {host} has no address")
    for number, (family, kind, protocol, _, address) in enumerate(found):
        left = (deadline - perf_counter()) / (len(found) - number)
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(max(left, 0.001))
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return _bare(sock)
        except OSError as error:
            sock.close()
            problem = error
        except BaseException:
            sock.close()
            raise
    raise problem


def _unix_socket(path: str, deadline: float) -> _socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(max(deadline - perf_counter(), 0.001))
        sock.connect(path)
        return _bare(sock)
    except BaseException:
        sock.close()
        raise


def _bare(sock: socket.socket) -> _socket.socket:
    """Return the system's own socket: a link does its waiting itself."""
    return _socket.socket(fileno=sock.detach())
