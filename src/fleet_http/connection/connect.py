"""Open connections: to the server or its proxy, TCP or unix, with TLS where the URL says so."""

from __future__ import annotations

import _socket
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from gevent import socket

from fleet_http.connection.proxy import Proxy, open_tunnel
from fleet_http.connection.tls_transport import Ticket, TlsConfig, TlsTransport, context_of
from fleet_http.connection.transport import Transport
from fleet_http.errors import BadRequest, ConnectionTimeout, ResponseTimeout
from fleet_http.hooks import HOOKS
from fleet_http.urls import Origin


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """How to reach an origin; connections of the same route are interchangeable."""

    origin: Origin
    tls_config: TlsConfig
    proxy: Proxy | None = None
    unix_socket: str | None = None

    @property
    def peer(self) -> tuple[str, int]:
        """Host and port that the TCP connection is made to."""
        return (self.proxy.host, self.proxy.port) if self.proxy else self.origin[1:]


@dataclass(slots=True)
class Opened:
    """A new connection, and how long it took to open it, in seconds."""

    transport: Transport
    connect_s: float
    tls_s: float


def connect(route: Route, timeout_s: float, ticket: Ticket | None = None) -> Opened:
    """Connect within ``timeout_s`` seconds, with the TLS session of ``ticket`` if there is one.

    Raises what ``HOOKS.may_connect`` raises, ConnectionTimeout, BadRequest, ProxyRefused,
    ConnectionLost, ssl.SSLError and OSError.
    """
    _check_allowed(route)
    # Before the socket, so that a mistake in verify= or cert= costs the server no connection.
    context = context_of(route.tls_config) if route.origin.scheme == "https" else None
    started = perf_counter()
    deadline = started + timeout_s
    try:
        if route.unix_socket:
            sock = _unix_socket(route.unix_socket, deadline)
        else:
            sock = _tcp_socket(*route.peer, deadline)
    except TimeoutError as error:
        raise ConnectionTimeout(f"no connection within {timeout_s:g} s") from error
    connected = perf_counter()
    if context is None:
        return Opened(Transport(sock), connected - started, 0.0)
    transport = Transport(sock)
    try:
        transport.deadline, transport.timeout = deadline, timeout_s
        if route.proxy:
            open_tunnel(transport, route.origin, route.proxy)
            connected = perf_counter()
        transport = TlsTransport(transport, context, route.origin.host, ticket)
        transport.deadline, transport.timeout = deadline, timeout_s
        transport.shake_hands()
    except ResponseTimeout as error:
        transport.close()
        raise ConnectionTimeout(f"no TLS handshake within {timeout_s:g} s") from error
    except BaseException:
        transport.close()
        raise
    return Opened(transport, connected - started, perf_counter() - connected)


def _check_allowed(route: Route) -> None:
    """Ask the host program about the origin, and about the proxy and unix socket on the way."""
    may_connect = HOOKS.may_connect
    may_connect(*route.origin)
    if route.proxy:
        may_connect("http", *route.peer)
    if route.unix_socket:
        may_connect("unix", route.unix_socket, 0)


def _tcp_socket(host: str, port: int, deadline: float) -> _socket.socket:
    """Connect; each address of the host gets an equal share of the time that is left."""
    try:
        addresses = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
    except UnicodeError as error:
        raise BadRequest(f"{host!r} is not a host name") from error
    problem: OSError = OSError(f"the name {host} has no address")
    try:
        for number, (*how, _, address) in enumerate(addresses):
            left_s = (deadline - perf_counter()) / (len(addresses) - number)
            try:
                return _tcp_socket_to(address, how, left_s)
            except OSError as error:
                problem = error
        raise problem
    finally:
        # The error of an address holds this frame, and with it what all callers hold: it would
        # stay until the garbage is collected, also where the next address answers.
        del problem


def _tcp_socket_to(address: Any, how: list[Any], timeout_s: float) -> _socket.socket:
    """Connect to one address; ``how`` is the family, the kind and the protocol of the socket."""
    sock = socket.socket(*how)
    try:
        sock.settimeout(max(timeout_s, 0.001))
        sock.connect(address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _bare(sock)
    except BaseException:
        sock.close()
        raise


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
    """Return the operating system's socket: a Transport waits by itself, without gevent's."""
    return _socket.socket(fileno=sock.detach())
