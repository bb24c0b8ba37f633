"""The open connections of one user, which it alone uses."""

from __future__ import annotations

from fleet_http.connection import connect
from fleet_http.connection.connect import Route
from fleet_http.connection.connection import Connection
from fleet_http.connection.tls_transport import Ticket, TlsTransport

# Idle ones to one place; a user that makes more requests at once closes the rest afterwards.
MOST_IDLE = 10
# Places to which idle ones are kept, or who goes from host to host runs out of descriptors.
MOST_PLACES = 32


class ConnectionPool:
    """Lends connections and takes back those that can be used again."""

    def __init__(self) -> None:
        self._idle: dict[Route, list[Connection]] = {}
        self._tickets: dict[Route, Ticket] = {}
        self._closed = False

    def take(self, route: Route) -> Connection | None:
        """Return an open connection that waits for work."""
        idle = self._idle.get(route)
        while idle:
            connection = idle.pop()
            if connection.link.is_usable():
                connection.link.idle = False
                return connection
        return None

    def open(self, route: Route, timeout_s: float) -> Connection:
        """Return a new connection."""
        return Connection(route, connect.connect(route, timeout_s, self._tickets.get(route)))

    def give_back(self, connection: Connection) -> None:
        """Keep a connection whose answer was read to its end."""
        route, link = connection.route, connection.link
        idle = self._idle.get(route)
        if idle is None:
            if len(self._idle) >= MOST_PLACES:
                self._leave(next(iter(self._idle)))
            idle = self._idle[route] = []
        if self._closed or len(idle) >= MOST_IDLE:
            connection.close()
            return
        if not connection.reused:
            connection.reused = True
            ticket = link.ticket if isinstance(link, TlsTransport) else None
            if ticket:
                # The next connection to the same place goes on with it.
                self._tickets[route] = ticket
        link.idle = True
        idle.append(connection)

    def _leave(self, route: Route) -> None:
        for connection in self._idle.pop(route):
            connection.close()
        self._tickets.pop(route, None)

    def close(self) -> None:
        """Close all that are idle, and those in use when they come back."""
        self._closed = True
        for idle in self._idle.values():
            for connection in idle:
                connection.close()
        self._idle.clear()

    def __del__(self) -> None:
        # An open connection is known to the event loop and so would never be collected.
        self.close()
