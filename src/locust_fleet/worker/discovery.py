"""Find the address of the leader.

The lease in Redis has it. A worker that cannot read the lease, because it is on another host or
Redis is unavailable, tries each address of the given host name: only the leader listens.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterable

from locust_fleet.election.lease import read_lease
from locust_fleet.runtime.redis import redis_client
from locust_fleet.settings.stores import RedisSettings

ANSWER_TIMEOUT_S = 1.0

Address = tuple[str, int]

logger = logging.getLogger(__name__)


class LeaderDiscovery:
    """Finds the leader by the lease and by DNS."""

    def __init__(self, redis: RedisSettings | None, host: str, port: int) -> None:
        self._redis = redis_client(redis, ANSWER_TIMEOUT_S) if redis else None
        self._host = host
        self._port = port

    def find(self, silent: Address | None, *, exclude_silent: bool = False) -> Address | None:
        """Return the address of a master that listens, None if none does now.

        ``silent`` is the address of a master that sends nothing any more. It is tried last, or not
        at all with ``exclude_silent``: a paused process still accepts connections.
        """
        lease = self._in_lease()
        if exclude_silent and lease == silent:
            return None
        for address in candidates(lease, self._resolved(), silent):
            if not (exclude_silent and address == silent) and listens(address):
                return address
        return None

    def _in_lease(self) -> Address | None:
        address = read_lease(self._redis, "address") if self._redis else None
        try:
            return parse_address(address) if address else None
        except ValueError:
            logger.debug("the lease has %s in place of an address", address)
            return None

    def _resolved(self) -> list[Address]:
        try:
            found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        except OSError as error:
            logger.debug("this worker cannot look up %s: %s", self._host, error)
            return []
        return [(str(where[0]), int(where[1])) for *_, where in found]


def candidates(
    lease: Address | None, resolved: Iterable[Address], silent: Address | None
) -> list[Address]:
    """Return the addresses to try, in order; pure. The lease first, even if that one is silent."""
    unique = list(dict.fromkeys(resolved))
    others = [address for address in unique if address != silent]
    again = [address for address in unique if address == silent]
    return list(dict.fromkeys([*([lease] if lease else []), *others, *again]))


def parse_address(address: str) -> Address:
    """Return host and port of a text such as 10.0.0.7:5557 or [fd00::7]:5557; or ValueError."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def format_address(address: Address) -> str:
    """Return an address as text, an IPv6 host in brackets."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def listens(address: Address) -> bool:
    """Whether an address accepts connections within ANSWER_TIMEOUT_S."""
    try:
        socket.create_connection(address, timeout=ANSWER_TIMEOUT_S).close()
    except OSError:
        return False
    return True
