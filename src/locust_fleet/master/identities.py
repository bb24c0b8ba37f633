"""Let a worker that connects anew be the one that it was.

Locust 2.47.0 (``rpc.zmqrpc.Server``) knows a worker by its first connection as long as that is
open, which after a cut network it is for minutes; the second one is not heard. What a former
connection still holds comes under a made-up name, which the inbox drops.
"""

from __future__ import annotations

from locust.rpc.zmqrpc import Server

from collections.abc import Callable
from typing import Any

import zmq

from locust_fleet.locust_patches.patch import replace


def hand_over_identities() -> None:
    """From now on, the last connection of a worker is the one that counts."""
    start: Callable[..., None] = Server.__init__

    def start_with_handover(server: Server, *args: Any) -> None:
        start(server, *args)
        server.socket.setsockopt(zmq.ROUTER_HANDOVER, 1)

    replace(Server, "__init__", start_with_handover)
