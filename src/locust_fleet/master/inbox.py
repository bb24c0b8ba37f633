"""Hear from the workers what can be read, and drop what cannot.

Locust 2.47.0 (``rpc.zmqrpc.Server``, ``MasterRunner.client_listener``) ends the loop in which a
master hears its workers on nearly everything that is no message, and on a message whose fields
are not what it expects: the master keeps the lease and hears nobody any more.
"""

from __future__ import annotations

from locust.exception import RPCError
from locust.rpc import Message
from locust.rpc.zmqrpc import BaseSocket, Server

from collections.abc import Callable
from typing import Any

import zmq

from locust_fleet.election.candidate import clock_ms
from locust_fleet.election.leadership import Leadership
from locust_fleet.locust_patches.patch import replace
from locust_fleet.policy.limits import shown
from locust_fleet.protocol.drop_counter import DropCounter
from locust_fleet.protocol.validation import TO_MASTER, Cause, Unreadable, judge, parse

# One message; who sends a larger one is cut off. A report with all names has a fraction of it.
MOST_BYTES = 16 << 20
# A worker knows no later epoch than its leader, or one who will lead in a moment; clocks differ.
AHEAD_MS = 86_400_000


def hear_workers(reign: Leadership, dropped: DropCounter) -> None:
    """From now on, what a master receives are messages; the reign hears of their epochs."""

    def receive(server: Server) -> tuple[str, Message]:
        while True:
            try:
                frames = server.socket.recv_multipart()
            except zmq.ZMQError as error:
                raise RPCError(f"nothing can be received: {error}") from error
            try:
                sender, message, epoch = read(frames, max(reign.epoch, clock_ms()) + AHEAD_MS)
            except Unreadable as error:
                dropped.note(error.cause, f"from {shown(frames[0])}: {error}")
            else:
                reign.hear(epoch)
                return sender, message

    start: Callable[..., None] = BaseSocket.__init__

    def start_with_limit(socket: BaseSocket, *args: Any) -> None:
        start(socket, *args)
        # Before it listens: later it would be too late.
        socket.socket.setsockopt(zmq.MAXMSGSIZE, MOST_BYTES)

    replace(Server, "recv_from_client", receive)
    replace(BaseSocket, "__init__", start_with_limit)


def read(frames: list[bytes], highest_epoch: int) -> tuple[str, Message, int]:
    """Return who sent it, the message, and the epoch that it says; raises Unreadable.

    A later epoch than the highest would make this master raise its own out of all bounds.
    """
    if len(frames) != 2:
        raise Unreadable(Cause.FRAMES, f"it has {len(frames)} frames, not 2")
    message, epoch = parse(frames[1], highest_epoch)
    # What a former connection of a worker still holds comes under a made-up name.
    if message.node_id is None or message.node_id.encode("utf-8", "replace") != frames[0]:
        raise Unreadable(Cause.SENDER, f"it says that it is of {shown(message.node_id)}")
    judge(message, TO_MASTER)
    return message.node_id, message, epoch
