"""The socket on which a master hears and tells its workers.

Locust 2.47.0 (``rpc.zmqrpc.Server``) does otherwise in these ways:

- Nearly everything that is no message, or whose fields are not what it expects, ends the loop in
  which a master hears its workers: the master keeps the lease and hears nobody any more.
- It knows a worker by its first connection as long as that is open, which after a cut network it
  is for minutes; the second one is not heard.
- It knows no master but one: who sends last is obeyed. Here each message says its master's epoch.
- A ramp-up hands each message to spawn users to a greenlet of its own, which sends it after the
  stop if that comes in between: the users start again, and nobody stops them.
"""

from __future__ import annotations

from locust.exception import RPCError
from locust.rpc import Message
from locust.rpc.zmqrpc import BaseSocket, Server

from collections.abc import Callable

import zmq

from locust_fleet.election.candidate import clock_ms
from locust_fleet.election.leadership import Leadership
from locust_fleet.policy.limits import shown
from locust_fleet.protocol.drop_counter import DropCounter
from locust_fleet.protocol.epoch import stamp
from locust_fleet.protocol.validation import TO_MASTER, Cause, Unreadable, judge, parse

# One message; who sends a larger one is cut off. A report with all names has a fraction of it.
MOST_BYTES = 16 << 20
# A worker knows no later epoch than its leader, or one who will lead in a moment; clocks differ.
AHEAD_MS = 86_400_000


class FleetServer(Server):
    """Receives messages that can be read, and sends those of this master's epoch."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        leadership: Leadership,
        drops: DropCounter,
        in_a_run: Callable[[], bool],
    ) -> None:
        """Listen at an address, with port 0 at any; raises RPCError, in Locust's words."""
        self._leadership = leadership
        self._drops = drops
        self._in_a_run = in_a_run
        BaseSocket.__init__(self, zmq.ROUTER, self.ipv4_only(host, port))
        # Before it listens: later it would be too late.
        self.socket.setsockopt(zmq.MAXMSGSIZE, MOST_BYTES)
        # What a former connection still holds comes under a made-up name, which is dropped.
        self.socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
        try:
            if port == 0:
                self.port = self.socket.bind_to_random_port(f"tcp://{host}")
            else:
                self.socket.bind(f"tcp://{host}:{port}")
                self.port = port
        except zmq.ZMQError as error:
            raise RPCError(f"Socket bind failure: {error}") from error

    def recv_from_client(self) -> tuple[str, Message]:
        """Wait for the next message that can be read; raises RPCError when the socket fails."""
        while True:
            try:
                frames = self.socket.recv_multipart()
            except zmq.ZMQError as error:
                raise RPCError(f"nothing can be received: {error}") from error
            highest_epoch = max(self._leadership.epoch, clock_ms()) + AHEAD_MS
            try:
                sender, message, epoch = read(frames, highest_epoch)
            except Unreadable as error:
                self._drops.note(error.cause, f"from {shown(frames[0])}: {error}")
            else:
                self._leadership.report_epoch(epoch)
                return sender, message

    def send_to_client(self, message: Message) -> None:
        """Send a message to the worker that it names; users are spawned in a run alone."""
        if message.type != "spawn" or self._in_a_run():
            super().send_to_client(stamp(message, self._leadership.epoch))


def read(frames: list[bytes], highest_epoch: int) -> tuple[str, Message, int]:
    """Return who sent it, the message, and the epoch that it says; raises Unreadable.

    A later epoch than the highest would make this master raise its own out of all bounds.
    """
    if len(frames) != 2:
        raise Unreadable(Cause.FRAMES, f"it has {len(frames)} frames, not 2")
    message, epoch = parse(frames[1], highest_epoch)
    if message.node_id is None or message.node_id.encode("utf-8", "replace") != frames[0]:
        raise Unreadable(Cause.SENDER, f"it says that it is of {shown(message.node_id)}")
    judge(message, TO_MASTER)
    return message.node_id, message, epoch
