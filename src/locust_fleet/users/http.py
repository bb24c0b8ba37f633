"""A Locust user that makes several times the load of FastHttpUser with the same CPU time."""

from __future__ import annotations

from locust.env import Environment
from locust.exception import StopTest
from locust.user import User
from locust.user.users import RestMixin

from collections.abc import Mapping
from typing import Any

from gevent import Greenlet
from gevent.pool import Group

from fleet_http.client import Cert, HttpClient
from fleet_http.hooks import HOOKS
from fleet_http.request.headers import HeaderMapping
from fleet_http.response.response import Response


class DefaultTimeout:
    """A class attribute that reads as a timeout of this process, in seconds.

    Locust imports a scenario's classes and creates its users, so the settings of a worker cannot
    be passed to them. A class or a user that sets the attribute has its own timeout.
    """

    def __init__(self, hook: str) -> None:
        self._hook = hook

    def __get__(self, user: object, owner: type) -> float:
        return float(getattr(HOOKS, self._hook))


class FleetHttpUser(User, RestMixin[Response]):
    """An HTTP user with the interface of HttpUser: ``self.client.get("/")`` and so on.

    A scenario's own class may set each of the attributes below.
    """

    abstract = True

    # Seconds to connect, and seconds to wait for the response: until its head is complete, and
    # again for each 16 KiB of its body. By default CONNECTION_TIMEOUT and NETWORK_TIMEOUT.
    connection_timeout: float = DefaultTimeout("connection_timeout_s")  # type: ignore[assignment]
    network_timeout: float = DefaultTimeout("network_timeout_s")  # type: ignore[assignment]
    max_redirects: int = 30
    # Bytes of a response's body, also after decompression; a larger response is a failed request.
    largest_answer: int = 256 << 20
    # Sent with every request; None removes one of the client's own.
    default_headers: HeaderMapping | None = None
    # As in requests: whether certificates are checked, or the path of the CAs; client certificate.
    verify: bool | str = True
    cert: Cert | None = None
    # As in requests, such as {"http": "http://proxy:3128"}; environment variables are ignored.
    proxies: Mapping[str, str] | None = None
    # The path of a unix socket to connect to instead of any host.
    unix_socket: str | None = None

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        if self.host is None:
            raise StopTest(
                f"{type(self).__name__} has no host; set host in the class or give --host"
            )
        self.client = HttpClient(
            self.host,
            self.environment.events.request,
            self,
            connection_timeout=self.connection_timeout,
            network_timeout=self.network_timeout,
            max_redirects=self.max_redirects,
            largest_answer=self.largest_answer,
            default_headers=self.default_headers,
            verify=self.verify,
            cert=self.cert,
            unix_socket=self.unix_socket,
        )
        self.client.proxies = self.proxies or {}

    def start(self, group: Group) -> Any:
        """Start as Locust does, and close the connections when the user has ended."""
        greenlet: Greenlet[..., Any] = super().start(group)
        greenlet.link(lambda _: self.client.close())
        return greenlet

    def stop(self, force: bool = False) -> Any:
        """Stop as Locust does, without a last request that nobody counts.

        Locust kills a user that waits between two tasks only in the next turn of the event loop.
        A user that wakes up before that turn would still send a request. With ``ending`` set, the
        client lets the event loop turn once before it sends anything, so the kill comes first.
        """
        self.client.ending = True
        return super().stop(force)
