"""Keep the HTTP users of a worker inside the allow-list, whatever URL they ask for.

A redirect, an absolute URL, a proxy and a unix socket are checked as well: each client asks at the
point through which all its requests or new connections pass. Clients other than HttpUser,
FastHttpUser and FleetHttpUser do not ask.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from urllib.parse import urlsplit

import requests.exceptions

from fleet_http.hooks import HOOKS
from locust_fleet.locust_patches.http_clients import ask_before_requests
from locust_fleet.policy.allowlist import Allowlist

# Of one run and worker: a scenario may invent any number of names.
MAX_REPORTS = 100


class TargetRefused(ConnectionRefusedError):
    """The address is not in ALLOWED_TARGETS; a failed request of FastHttpUser, FleetHttpUser."""


class RequestRefused(requests.exceptions.ConnectionError):
    """The same for HttpUser, which counts only the exceptions of requests as failed requests."""


class AllowlistGuard:
    """Checks addresses against the allow-list, and reports each address that it refuses once."""

    def __init__(self, targets: Allowlist, report: Callable[[str], None]) -> None:
        """``report`` is called with the address, such as ``http://shop.example:80``."""
        self._targets = targets
        self._report = report
        self._reported: set[str] = set()
        self._allows_origin = lru_cache(maxsize=1024)(targets.allows_url)

    def install(self) -> None:
        """Have the HTTP clients of this process ask this guard from now on."""
        HOOKS.may_connect = self.check_connection
        ask_before_requests(self.check_url, self.check_connection)

    def check_url(self, url: str) -> None:
        """Raise RequestRefused unless the URL may be requested."""
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        if not self._allows_origin(origin):
            raise RequestRefused(self._refuse(origin))

    def check_connection(self, scheme: str, host: str, port: int) -> None:
        """Raise TargetRefused unless the connection may be opened.

        A unix socket has the scheme "unix", its path for a host, and any port.
        """
        if scheme == "unix":
            if not self._targets.allows_socket(host):
                raise TargetRefused(self._refuse(f"unix://{host}"))
        elif not self._targets.allows(scheme, host, port):
            raise TargetRefused(self._refuse(f"{scheme}://{host}:{port}"))

    def _refuse(self, origin: str) -> str:
        if origin not in self._reported and len(self._reported) < MAX_REPORTS:
            self._reported.add(origin)
            self._report(origin)
        return self._targets.refusal(origin)

    def forget(self) -> None:
        """Report each refused address once more: another run begins."""
        self._reported.clear()
