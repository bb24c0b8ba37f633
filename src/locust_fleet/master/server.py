"""The master's socket for messages from and to its workers.

Locust 2.47.0 (``rpc.zmqrpc.Server``) differs:

- Almost anything that is not a message, or has unexpected fields, ends the loop that reads
  messages: the master keeps the lease and reads nothing any more.
- It ignores a worker's second connection while the first one is open, which it is for minutes after
  a network failure.
- It knows only one master: workers obey the last sender. Here each message has its master's epoch.
- A ramp-up sends each spawn message from a greenlet of its own. If a stop comes in between, the
  message follows it: users start again, and nothing stops them.
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
from locust_fleet.protocol.message_validation import TO_MASTER, Cause, Unreadable, judge, parse

# The largest message; ZeroMQ disconnects the sender of a larger one. A full report is far smaller.
MOST_BYTES = 16 << 20
# How far an epoch may be ahead of this master's clock: a new leader's clock may differ.
AHEAD_MS = 86_400_000


class FleetServer(Server):
    """Receives valid messages, and stamps this master's epoch on those that it sends."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        leadership: Leadership,
        drops: DropCounter,
        in_a_run: Callable[[], bool],
    ) -> None:
        """Listen on a host and port (0: any free one); raises RPCError, as Locust does."""
        self._leadership = leadership
        # A forged epoch raises that of the leadership, and must not raise the limit.
        self._first_epoch = leadership.epoch
        self._drops = drops
        self._in_a_run = in_a_run
        BaseSocket.__init__(self, zmq.ROUTER, self.ipv4_only(host, port))
        # It has no effect once the socket listens.
        self.socket.setsockopt(zmq.MAXMSGSIZE, MOST_BYTES)
        # A new connection takes over its worker's id. Messages left on the old one arrive under a
        # made-up id, and are dropped.
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
        """Wait for the next valid message; return its worker and itself.

        Raises RPCError when the socket fails.
        """
        while True:
            try:
                frames = self.socket.recv_multipart()
            except zmq.ZMQError as error:
                raise RPCError(f"the master cannot receive messages: {error}") from error
            highest_epoch = max(self._first_epoch, clock_ms()) + AHEAD_MS
            try:
                sender, message, epoch = read(frames, highest_epoch)
            except Unreadable as error:
                self._drops.note(error.cause, f"from {shown(frames[0])}: {error}")
            else:
                self._leadership.report_epoch(epoch)
                return sender, message

    def send_to_client(self, message: Message) -> None:
        """Send a message to the worker that it names; drop a spawn message outside of a run."""
        if message.type != "spawn" or self._in_a_run():
            super().send_to_client(stamp(message, self._leadership.epoch))


def read(frames: list[bytes], highest_epoch: int) -> tuple[str, Message, int]:
    """Return the sender, the message and its epoch from the frames; raises Unreadable.

    Also for an epoch above the highest, which this master would have to exceed with its own.
    """
    if len(frames) != 2:
        raise Unreadable(Cause.FRAMES, f"it has {len(frames)} frames, not 2")
    message, epoch = parse(frames[1], highest_epoch)
    if message.node_id is None or message.node_id.encode("utf-8", "replace") != frames[0]:
        raise Unreadable(Cause.SENDER, f"it names {shown(message.node_id)} as its sender")
    judge(message, TO_MASTER)
    return message.node_id, message, epoch
