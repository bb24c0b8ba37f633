"""What a host program sets for all clients of its process, and what it reads from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from fleet_http.counters import Counters

# Called with scheme, host and port of a connection before it is opened; raises an OSError to
# refuse it. A unix socket has the scheme "unix", its path for a host, and port 0.
MayConnect = Callable[[str, str, int], None]


def allow_all(scheme: str, host: str, port: int) -> None:
    """Let every connection be opened, as without a host program."""


@dataclass(slots=True)
class Hooks:
    """The hooks of a process; a host program sets them before its users start."""

    may_connect: MayConnect = allow_all
    # Seconds, for clients that are created without timeouts of their own.
    connection_timeout_s: float = 60.0
    network_timeout_s: float = 60.0
    # Only to be read.
    counters: Counters = field(default_factory=Counters)


# One for the process: Locust creates the users, so a host program can pass nothing to their
# clients, and a client that a scenario creates by itself must ask the same allow-list.
HOOKS = Hooks()
