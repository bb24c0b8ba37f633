"""How long users wait for a connection or an answer, and how long a looked-up address is good.

Locust 2.47.0 lets ``HttpUser`` wait forever: a server that does not answer takes its users out of
the test one by one, and no number shows it. Each new connection asks the name server anew.
"""

from __future__ import annotations

from locust.clients import HttpSession
from locust.contrib.fasthttp import FastHttpUser

import functools
import random
import time
from collections.abc import Callable
from typing import Any

import gevent

from locust_fleet.locust_patches.patch import replace
from locust_fleet.settings.worker import ConnectionSettings
from locust_fleet.users import FleetHttpUser

# Hosts times kinds of question; beyond, all is asked anew.
REMEMBERED = 1000

Lookup = Callable[..., list[Any]]


def bound_waiting(settings: ConnectionSettings) -> None:
    """From now on these are the defaults of all HTTP users; a scenario may give its own."""
    connect_s, answer_s = settings.connection_timeout_s, settings.network_timeout_s
    for kind in (FastHttpUser, FleetHttpUser):
        replace(kind, "connection_timeout", connect_s)
        replace(kind, "network_timeout", answer_s)
    request = HttpSession.request

    @functools.wraps(request)
    def bounded(*args: Any, **kwargs: Any) -> Any:
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = (connect_s, answer_s)
        return request(*args, **kwargs)

    replace(HttpSession, "request", bounded)
    if settings.dns_ttl_s:
        resolver = gevent.get_hub().resolver
        replace(resolver, "getaddrinfo", remembering(resolver.getaddrinfo, settings.dns_ttl_s))


def remembering(
    look_up: Lookup, ttl_s: float, clock: Callable[[], float] = time.monotonic
) -> Lookup:
    """Return the lookup with a memory of ``ttl_s`` seconds.

    Addresses come in another order each time, so that connections spread over all of them.
    Failures are not remembered.
    """
    known: dict[Any, tuple[float, list[Any]]] = {}

    def getaddrinfo(*args: Any, **kwargs: Any) -> list[Any]:
        key = (args, tuple(sorted(kwargs.items())))
        good_until, addresses = known.get(key, (0.0, []))
        if clock() >= good_until:
            addresses = look_up(*args, **kwargs)
            if len(known) >= REMEMBERED:
                known.clear()
            known[key] = clock() + ttl_s, addresses
        return random.sample(addresses, len(addresses))

    return getaddrinfo
