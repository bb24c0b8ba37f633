"""Say the epoch of this master in every message.

Locust 2.47.0 (``rpc.zmqrpc.Server``) knows no master but one: who sends last is obeyed.
"""

from __future__ import annotations

from locust.rpc import Message
from locust.rpc.zmqrpc import Server

from collections.abc import Callable

from locust_fleet.election.leadership import Leadership
from locust_fleet.locust_patches.patch import replace
from locust_fleet.protocol.epoch import stamp


def speak_for(reign: Leadership) -> None:
    """From now on, each message of this process to a worker is one of this reign."""
    send: Callable[[Server, Message], None] = Server.send_to_client

    def send_stamped(server: Server, message: Message) -> None:
        send(server, stamp(message, reign.epoch))

    replace(Server, "send_to_client", send_stamped)
