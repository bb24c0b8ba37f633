"""Say the epoch of this master in every message, and hear which ones the workers know.

Locust 2.47.0 (``rpc.zmqrpc.Server``) knows no master but one: who sends last is obeyed.
"""

from __future__ import annotations

from locust.rpc import Message
from locust.rpc.zmqrpc import Server

from collections.abc import Callable

from locust_fleet.election.reign import Reign
from locust_fleet.seams import replace
from locust_fleet.wire import stamp, take_epoch


def speak_for(reign: Reign) -> None:
    """From now on, each message of this process to a worker is one of this reign."""
    send: Callable[[Server, Message], None] = Server.send_to_client
    receive: Callable[[Server], tuple[str, Message]] = Server.recv_from_client

    def send_stamped(server: Server, message: Message) -> None:
        send(server, stamp(message, reign.epoch))

    def receive_and_hear(server: Server) -> tuple[str, Message]:
        sender, message = receive(server)
        reign.hear(take_epoch(message))
        return sender, message

    replace(Server, "send_to_client", send_stamped)
    replace(Server, "recv_from_client", receive_and_hear)
