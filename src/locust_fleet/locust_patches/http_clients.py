"""What Locust's own HTTP clients lack: an allow-list, timeouts, a DNS cache and a count in flight.

Locust 2.47.0 offers no hook before ``HttpUser`` (requests) or ``FastHttpUser`` (geventhttpclient)
connects and counts no request before it is over. It lets ``HttpUser`` wait forever: a server that
does not respond takes its users out of the test one by one, and no number shows it. Each new
connection asks the name server again.

``FleetHttpUser`` has hooks for all of this (``fleet_http/hooks.py``).
"""

from __future__ import annotations

from locust.clients import HttpSession
from locust.contrib.fasthttp import FastHttpSession, FastHttpUser

import functools
import random
import time
from collections.abc import Callable
from typing import Any

import gevent
import geventhttpclient.connectionpool as fast
import requests.adapters
import requests.utils
from gevent import socket

from fleet_http.counters import Counters
from fleet_http.hooks import MayConnect
from locust_fleet.locust_patches.patch import replace

# Hosts times kinds of question; the cache is emptied when it is full.
MAX_CACHED_LOOKUPS = 1000

Lookup = Callable[..., list[Any]]


def ask_before_requests(may_request: Callable[[str], None], may_connect: MayConnect) -> None:
    """Ask before each request of ``HttpUser`` and each new connection of ``FastHttpUser``.

    ``may_request`` gets the URL of a request or of its proxy, ``may_connect`` scheme, host and
    port of a server or its proxy. Either raises to refuse it, ``may_request`` one of requests'
    exceptions and ``may_connect`` an OSError, so that the user counts a failed request.
    """
    send = requests.adapters.HTTPAdapter.send

    def guarded_send(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        may_request(request.url)
        proxy = requests.utils.select_proxy(request.url, kwargs.get("proxies"))
        if proxy:
            may_request(proxy if "://" in proxy else f"http://{proxy}")
        return send(self, request, *args, **kwargs)

    create_socket = fast.ConnectionPool._create_socket

    def guarded_create_socket(self: Any) -> socket.socket:
        scheme = "https" if isinstance(self, fast.SSLConnectionPool) else "http"
        may_connect(scheme, self._request_host, self._request_port)
        if (self._connection_host, self._connection_port) != (
            self._request_host,
            self._request_port,
        ):
            # Through a proxy, which is where the bytes go.
            may_connect("http", self._connection_host, self._connection_port)
        return create_socket(self)

    replace(requests.adapters.HTTPAdapter, "send", guarded_send)
    replace(fast.ConnectionPool, "_create_socket", guarded_create_socket)


def set_default_timeouts(connection_timeout_s: float, network_timeout_s: float) -> None:
    """Set how long ``HttpUser`` and ``FastHttpUser`` wait; a scenario may set its own timeouts.

    ``connection_timeout_s`` is the time to connect, ``network_timeout_s`` the time to wait for
    the server to send something.
    """
    replace(FastHttpUser, "connection_timeout", connection_timeout_s)
    replace(FastHttpUser, "network_timeout", network_timeout_s)
    request = HttpSession.request

    @functools.wraps(request)
    def bounded(*args: Any, **kwargs: Any) -> Any:
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = (connection_timeout_s, network_timeout_s)
        return request(*args, **kwargs)

    replace(HttpSession, "request", bounded)


def cache_lookups(ttl_s: float) -> None:
    """Keep the addresses of host names for ``ttl_s`` seconds, for every client of this process."""
    resolver = gevent.get_hub().resolver
    replace(resolver, "getaddrinfo", cached(resolver.getaddrinfo, ttl_s))


def cached(look_up: Lookup, ttl_s: float, clock: Callable[[], float] = time.monotonic) -> Lookup:
    """Return ``look_up`` (``socket.getaddrinfo``) with a cache that keeps entries for ``ttl_s`` s.

    Each call returns the addresses in another order, so that connections spread over all of them.
    Failures are not cached.
    """
    known: dict[Any, tuple[float, list[Any]]] = {}

    def getaddrinfo(*args: Any, **kwargs: Any) -> list[Any]:
        key = (args, tuple(sorted(kwargs.items())))
        expires, addresses = known.get(key, (0.0, []))
        if clock() >= expires:
            addresses = look_up(*args, **kwargs)
            if len(known) >= MAX_CACHED_LOOKUPS:
                known.clear()
            known[key] = clock() + ttl_s, addresses
        return random.sample(addresses, len(addresses))

    return getaddrinfo


def count_in_flight(counters: Counters) -> None:
    """Count in ``counters.in_flight`` the requests that wait for their response."""
    for session in (HttpSession, FastHttpSession):
        replace(session, "request", _counted(session.request, counters))


def _counted(request: Callable[..., Any], counters: Counters) -> Callable[..., Any]:
    @functools.wraps(request)
    def counted_request(*args: Any, **kwargs: Any) -> Any:
        counters.in_flight += 1
        try:
            return request(*args, **kwargs)
        finally:
            counters.in_flight -= 1

    return counted_request
