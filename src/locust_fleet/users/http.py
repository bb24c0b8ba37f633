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
from fleet_http.request.headers import Given
from fleet_http.response.response import Response


class FleetHttpUser(User, RestMixin[Response]):
    """An HTTP user with the interface of HttpUser: ``self.client.get("/")`` and so on.

    What stands below can be said anew in a scenario's own class.
    """

    abstract = True

    # Seconds until a connection stands, and for the answer: until its head is complete, and
    # again for each 16 KiB of its body.
    connection_timeout: float = 60.0
    network_timeout: float = 60.0
    max_redirects: int = 30
    # Bytes of a body, also of what it is unpacked to; an answer beyond is a failed request.
    largest_answer: int = 256 << 20
    # For every request; None takes one of ours away.
    default_headers: Given | None = None
    # As in requests: whether certificates are checked or by which CAs, and our own certificate.
    verify: bool | str = True
    cert: Cert | None = None
    # As in requests, such as {"http": "http://proxy:3128"}; the environment is not asked.
    proxies: Mapping[str, str] | None = None
    # The path of a socket that takes the place of every host.
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
        """Start as Locust does; when the user has ended, however, its connections are closed."""
        greenlet: Greenlet[..., Any] = super().start(group)
        greenlet.link(lambda _: self.client.close())
        return greenlet

    def stop(self, force: bool = False) -> Any:
        """Stop as Locust does, which kills who waits between tasks, but a turn of its loop later.

        Who wakes up just before would send a request that nobody counts; a request lets the loop
        turn once from now on, before it is sent.
        """
        self.client.ending = True
        return super().stop(force)
