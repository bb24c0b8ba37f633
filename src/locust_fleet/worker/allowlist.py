"""Keep HTTP users inside the allow-list, whatever URL they were given or redirected to.

Requests (HttpUser), geventhttpclient (FastHttpUser) and our own client (FleetHttpUser) are asked
at the point through which every request or new connection passes. No other client passes here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import geventhttpclient.connectionpool as fast
import requests.adapters
import requests.exceptions
import requests.utils
from gevent import socket

from fleet_http.connection import connect
from locust_fleet.locust_patches.patch import replace
from locust_fleet.policy.allowlist import Allowlist

# Of one run and worker: a scenario may make up names without end.
REPORTS_LIMIT = 100


class TargetRefused(ConnectionRefusedError):
    """The address is not in ALLOWED_TARGETS; a failed request of FastHttpUser, FleetHttpUser."""


class RequestRefused(requests.exceptions.ConnectionError):
    """The same for HttpUser, which counts only the errors of requests."""


class AllowlistGuard:
    """Asks the allow-list, and tells somebody once about each address that it refused."""

    def __init__(self, targets: Allowlist, report: Callable[[str], None]) -> None:
        self._targets = targets
        self._report = report
        self._reported: set[str] = set()
        self._allows_origin = lru_cache(maxsize=1024)(targets.allows_url)

    def check_url(self, url: str) -> None:
        """Raise RequestRefused unless the URL may be asked."""
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        if not self._allows_origin(origin):
            raise RequestRefused(self._refuse(origin))

    def check_connection(self, scheme: str, host: str, port: int) -> None:
        """Raise TargetRefused unless the connection may be opened."""
        if not self._targets.allows(scheme, host, port):
            raise TargetRefused(self._refuse(f"{scheme}://{host}:{port}"))

    def check_socket(self, path: str) -> None:
        """Raise TargetRefused unless the unix socket may be connected to."""
        if not self._targets.allows_socket(path):
            raise TargetRefused(self._refuse(f"unix://{path}"))

    def _refuse(self, origin: str) -> str:
        if origin not in self._reported and len(self._reported) < REPORTS_LIMIT:
            self._reported.add(origin)
            self._report(origin)
        return self._targets.refusal(origin)

    def forget(self) -> None:
        """Report each refused address once more: another run begins."""
        self._reported.clear()


def install(guard: AllowlistGuard) -> None:
    """Put the guard before the HTTP clients of this process."""
    send = requests.adapters.HTTPAdapter.send

    def guarded_send(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        guard.check_url(request.url)
        proxy = requests.utils.select_proxy(request.url, kwargs.get("proxies"))
        if proxy:
            guard.check_url(proxy if "://" in proxy else f"http://{proxy}")
        return send(self, request, *args, **kwargs)

    create_socket = fast.ConnectionPool._create_socket

    def guarded_create_socket(self: Any) -> socket.socket:
        scheme = "https" if isinstance(self, fast.SSLConnectionPool) else "http"
        guard.check_connection(scheme, self._request_host, self._request_port)
        if (self._connection_host, self._connection_port) != (
            self._request_host,
            self._request_port,
        ):
            # Through a proxy, which is where the bytes really go.
            guard.check_connection("http", self._connection_host, self._connection_port)
        return create_socket(self)

    open_link = connect.connect

    def guarded_open_link(route: connect.Route, *args: Any, **kwargs: Any) -> connect.Opened:
        guard.check_connection(*route.origin)
        if route.proxy:
            guard.check_connection("http", *route.peer)
        if route.unix:
            guard.check_socket(route.unix)
        return open_link(route, *args, **kwargs)

    replace(requests.adapters.HTTPAdapter, "send", guarded_send)
    replace(fast.ConnectionPool, "_create_socket", guarded_create_socket)
    replace(connect, "connect", guarded_open_link)
