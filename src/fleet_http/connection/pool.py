"""The open connections of one user; users do not share connections."""

from __future__ import annotations

from fleet_http.connection import connect
from fleet_http.connection.connect import Route
from fleet_http.connection.connection import Connection
from fleet_http.connection.tls_transport import Ticket, TlsTransport

# Idle connections of one route; more of them, after requests in parallel, are closed.
MAX_IDLE_PER_ROUTE = 10
# Routes with idle connections: a user that visits many hosts must not run out of descriptors.
MAX_ROUTES = 32


class ConnectionPool:
    """Lends connections, and keeps returned ones that can be used again."""

    def __init__(self) -> None:
        self._idle: dict[Route, list[Connection]] = {}
        self._tickets: dict[Route, Ticket] = {}
        self._closed = False

    def take(self, route: Route) -> Connection | None:
        """Return an idle connection, None if there is no open one."""
        idle = self._idle.get(route)
        while idle:
            connection = idle.pop()
            if connection.transport.is_usable():
                connection.transport.idle = False
                return connection
        return None

    def open(self, route: Route, timeout_s: float) -> Connection:
        """Return a new connection; raises what ``connect`` raises."""
        return Connection(route, connect.connect(route, timeout_s, self._tickets.get(route)))

    def give_back(self, connection: Connection) -> None:
        """Keep a connection whose response was read to its end."""
        route, transport = connection.route, connection.transport
        idle = self._idle.get(route)
        if idle is None:
            if len(self._idle) >= MAX_ROUTES:
                self._forget(next(iter(self._idle)))
            idle = self._idle[route] = []
        if self._closed or len(idle) >= MAX_IDLE_PER_ROUTE:
            connection.close()
            return
        if not connection.reused:
            connection.reused = True
            ticket = transport.ticket if isinstance(transport, TlsTransport) else None
            if ticket:
                # The next connection of this route resumes the TLS session.
                self._tickets[route] = ticket
        transport.idle = True
        idle.append(connection)

    def _forget(self, route: Route) -> None:
        for connection in self._idle.pop(route):
            connection.close()
        self._tickets.pop(route, None)

    def close(self) -> None:
        """Close idle connections now, and those in use when they are given back."""
        self._closed = True
        for idle in self._idle.values():
            for connection in idle:
                connection.close()
        self._idle.clear()

    def __del__(self) -> None:
        # The event loop holds open connections, so they would never be collected.
        self.close()
