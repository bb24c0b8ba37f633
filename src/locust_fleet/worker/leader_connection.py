"""Connect to the leader of the highest epoch, and reconnect when it is silent.

Locust 2.47.0 (``rpc.zmqrpc.Client``, ``WorkerRunner``) obeys any sender, and keeps one address
forever. It does not notice a master that is paused or cut off: messages to it wait in the socket.
Here a worker that misses two heartbeats looks for the leader and reconnects. It drops unsent
messages on purpose, because they may be meant for another leader: reports are in the resend buffer
(worker/resend_buffer.py), and the worker tells the new leader what it runs (worker/orphan.py).
"""

from __future__ import annotations

from locust import runners
from locust.exception import RPCError
from locust.rpc import Message, zmqrpc

import logging
import time

import gevent
import zmq
from gevent.queue import Queue

from locust_fleet.protocol.drop_counter import DropCounter
from locust_fleet.protocol.epoch import stamp
from locust_fleet.protocol.message_validation import TO_WORKER, Cause, Unreadable, judge, parse
from locust_fleet.protocol.messages import FAREWELL, WHO
from locust_fleet.runtime.supervision import Farewell, vital
from locust_fleet.settings.stores import RedisSettings
from locust_fleet.worker.discovery import Address, LeaderDiscovery, format_address
from locust_fleet.worker.failure_detector import FailureDetector

# Two missed heartbeats, and half of one for those that are a little late.
BEATS_MISSED = 2.5
# Checks of the silence per heartbeat.
CHECKS_PER_BEAT = 4
NO_MASTER_RETRY_S = 0.5

logger = logging.getLogger(__name__)
# Locust's own, which connects one socket, once.
Client = zmqrpc.Client


class LeaderConnection:
    """Takes the place of Locust's connection to a master, and replaces it when needed."""

    def __init__(
        self,
        host: str,
        port: int,
        identity: str,
        *,
        redis: RedisSettings | None,
        drops: DropCounter,
        farewell: Farewell,
    ) -> None:
        """Connect to the leader; waits for one. The host and port are those of the settings.

        ``farewell`` is called if a loop of this connection ends, before this process ends.
        """
        self._discovery = LeaderDiscovery(redis, host, port)
        self._identity = identity
        self._inbox: Queue[tuple[int, Message]] = Queue()
        self._first: Message | None = None
        self._refused = 0
        self._heard = False
        self._closed = False
        self._drops = drops
        self._farewell = farewell
        # The highest epoch that a message had so far.
        self.epoch = 0
        self.reconnects = 0
        beat_s = runners.HEARTBEAT_INTERVAL
        self._silence_timeout_s = BEATS_MISSED * beat_s
        self._check_interval_s = beat_s / CHECKS_PER_BEAT
        self._address = self._find_first(f"{host}:{port}")
        self._failure_detector = FailureDetector(self._check_interval_s, time.monotonic())
        self._client = self._connect()
        self._renewal: gevent.Greenlet[..., None] = gevent.Greenlet()
        self._watch = gevent.spawn(
            vital("connection", self.watch, lambda: self._closed, self._farewell)
        )

    @property
    def leader(self) -> str:
        """The ``host:port`` that this worker is connected to."""
        return format_address(self._address)

    @property
    def silent_s(self) -> float:
        """Seconds without a message of a leader, while this process was awake."""
        return self._failure_detector.since_heard_s

    @property
    def lost(self) -> bool:
        """Whether this worker has no leader, as far as it can tell."""
        return not self._heard or self._failure_detector.suspects(self._silence_timeout_s)

    def send(self, message: Message) -> None:
        """Send a message, or drop it if the socket is full; Locust would make users wait.

        Raises RPCError when the socket fails.
        """
        self._first = self._first or message
        try:
            self._client.socket.send(stamp(message, self.epoch).serialize(), zmq.NOBLOCK)
        except zmq.Again:
            logger.debug("this worker drops a message of type %s: no master takes it", message.type)
        except zmq.ZMQError as error:
            raise RPCError(f"this worker cannot send a message: {error}") from error

    def recv(self) -> Message:
        """Wait for the next message of the leader of the highest epoch, and return it."""
        while True:
            epoch, message = self._inbox.get()
            # A leader of a later epoch may have sent a message since this one arrived.
            if epoch == self.epoch:
                return message

    def close(self) -> None:
        """Close the connection for good."""
        self._closed = True
        self._watch.kill(block=False)
        close_client(self._client)

    def watch(self) -> None:
        """Check forever whether the leader is silent, and reconnect if it is."""
        while True:
            gevent.sleep(self._check_interval_s)
            self._failure_detector.tick(time.monotonic())
            if self._failure_detector.suspects(self._silence_timeout_s) and not self._renewal:
                fresh = self._failure_detector.since_fresh_s <= self._silence_timeout_s
                self._renewal = gevent.spawn(self.renew, exclude_current=fresh)

    def renew(self, *, exclude_current: bool = False) -> None:
        """Connect to a master that listens, if any; unsent and unread messages are lost."""
        address = self._discovery.find(self._address, exclude_silent=exclude_current)
        if address is None:
            return
        self._failure_detector.note_reconnect()
        logger.warning(
            "this worker has heard nothing from %s for %.1f s; it connects to %s",
            *(self.leader, self.silent_s, format_address(address)),
        )
        self.reconnects += 1
        old, self._address = self._client, address
        self._client = self._connect()
        # The loop that reads the old one sees that it is closed, and ends.
        close_client(old)
        while not self._inbox.empty():
            self._inbox.get()
        if self._heard:
            # As if the master had asked: it may not know this worker, or have missed its messages.
            self._inbox.put((self.epoch, Message(WHO, None, self._identity)))
        elif self._first:
            self.send(self._first)

    def _find_first(self, given: str) -> Address:
        warned = False
        while True:
            address = self._discovery.find(None)
            if address:
                return address
            if not warned:
                logger.warning("no master listens at %s yet; this worker waits for one", given)
            warned = True
            gevent.sleep(NO_MASTER_RETRY_S)

    def _connect(self) -> zmqrpc.Client:
        host, port = self._address
        client = Client(f"[{host}]" if ":" in host else host, port, self._identity)
        listen = vital("inbox", self._listen, lambda: client.socket.closed, self._farewell)
        gevent.spawn(listen, client)
        return client

    def _listen(self, client: zmqrpc.Client) -> None:
        """Read messages as they arrive, however long the handling of earlier ones takes."""
        while True:
            try:
                frames = client.socket.recv_multipart()
            except zmq.ZMQError as error:
                if client.socket.closed:
                    return
                logger.error("this worker cannot receive from %s: %s", self.leader, error)
                gevent.sleep(self._check_interval_s)
                continue
            try:
                self._receive(*read(frames))
            except Unreadable as error:
                self._drops.note(error.cause, f"from {self.leader}: {error}")

    def _receive(self, message: Message, epoch: int) -> None:
        if epoch < self.epoch:
            if epoch != self._refused:
                logger.warning(
                    "this worker refuses %s, whose epoch %d has ended: the latest is %d",
                    *(self.leader, epoch, self.epoch),
                )
            self._refused = epoch
            return
        if message.type == FAREWELL:
            logger.info("the leader at %s hands over to another master", self.leader)
            self._failure_detector.note_farewell()
            return
        if epoch > self.epoch:
            logger.info("this worker follows the leader at %s, epoch %d", self.leader, epoch)
        self.epoch = epoch
        self._heard = True
        self._failure_detector.note_message()
        self._inbox.put((epoch, message))


def read(frames: list[bytes]) -> tuple[Message, int]:
    """Return a message of a master, and its epoch, from the frames; raises Unreadable."""
    if len(frames) != 1:
        raise Unreadable(Cause.FRAMES, f"it has {len(frames)} frames, not 1")
    message, epoch = parse(frames[0])
    judge(message, TO_WORKER)
    return message, epoch


def close_client(client: zmqrpc.Client) -> None:
    """Close a connection with its ZeroMQ context; drop unsent messages."""
    context = client.socket.context
    client.close(linger=0)
    context.term()
