"""The way to the leader, whoever that is: refuse the ones before, find the one that comes.

Locust 2.47.0 (``rpc.zmqrpc.Client``, ``WorkerRunner``) obeys whoever speaks, and stays with one
address for ever. It does not notice a master that is paused or cut off: messages to it wait in
the socket. Here a worker that misses two heartbeats looks for the leader and connects anew.
What was on its way by then is given up on purpose, for it may be another one's: reports are kept
(worker/resend_buffer.py), and the leader is told what is true here (worker/orphan.py).
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
from locust_fleet.protocol.messages import FAREWELL, WHO
from locust_fleet.protocol.validation import TO_WORKER, Cause, Unreadable, judge, parse
from locust_fleet.runtime.loops import Farewell, vital
from locust_fleet.settings.stores import RedisSettings
from locust_fleet.worker.discovery import Address, LeaderDiscovery, format_address
from locust_fleet.worker.failure_detector import FailureDetector

# Two that did not come, and half of one for those that come a little late.
BEATS_MISSED = 2.5
# Looks per heartbeat.
CHECKS_PER_BEAT = 4
NO_MASTER_RETRY_S = 0.5

logger = logging.getLogger(__name__)
# Connects one socket, once; Locust's own.
Client = zmqrpc.Client


class LeaderConnection:
    """Stands for Locust's connection to the master, and is a series of them."""

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
        """``farewell`` is called before this process ends, for want of a loop of this one."""
        self._discovery = LeaderDiscovery(redis, host, port)
        self._identity = identity
        self._inbox: Queue[tuple[int, Message]] = Queue()
        self._first: Message | None = None
        self._refused = 0
        self._heard = False
        self._closed = False
        self._drops = drops
        self._farewell = farewell
        # The highest epoch that was heard of.
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
        """Where the leader is, or was heard last."""
        return format_address(self._address)

    @property
    def silent_s(self) -> float:
        """How long nothing was heard of any leader, in seconds in which this process was awake."""
        return self._failure_detector.since_heard_s

    @property
    def lost(self) -> bool:
        """Whether there is no leader, as far as this worker can tell."""
        return not self._heard or self._failure_detector.suspects(self._silence_timeout_s)

    def send(self, message: Message) -> None:
        """Send a message, or drop it where nobody takes any; Locust would let users wait."""
        self._first = self._first or message
        try:
            self._client.socket.send(stamp(message, self.epoch).serialize(), zmq.NOBLOCK)
        except zmq.Again:
            logger.debug("nobody takes a message of type %s", message.type)
        except zmq.ZMQError as error:
            raise RPCError(f"no message can be sent: {error}") from error

    def recv(self) -> Message:
        """Return the next message of a leader whose time is not over."""
        while True:
            epoch, message = self._inbox.get()
            # Another one may have spoken since this one came.
            if epoch == self.epoch:
                return message

    def close(self) -> None:
        """Let go of the leader; for good."""
        self._closed = True
        self._watch.kill(block=False)
        close_client(self._client)

    def watch(self) -> None:
        """Look forever whether the leader is there, and for another one if not."""
        while True:
            gevent.sleep(self._check_interval_s)
            self._failure_detector.tick(time.monotonic())
            if self._failure_detector.suspects(self._silence_timeout_s) and not self._renewal:
                fresh = self._failure_detector.since_fresh_s <= self._silence_timeout_s
                self._renewal = gevent.spawn(self.renew, exclude_current=fresh)

    def renew(self, *, exclude_current: bool = False) -> None:
        """Connect anew, if there is anybody; who answers is asked nothing that was said before."""
        address = self._discovery.find(self._address, exclude_silent=exclude_current)
        if address is None:
            return
        self._failure_detector.note_reconnect()
        logger.warning(
            "nothing heard from %s for %.1f s; connects to %s",
            *(self.leader, self.silent_s, format_address(address)),
        )
        self.reconnects += 1
        old, self._address = self._client, address
        self._client = self._connect()
        # Who is waiting for messages of the old one sees that it is no more.
        close_client(old)
        while not self._inbox.empty():
            self._inbox.get()
        if self._heard:
            # As if it had asked: it may not know this worker, or miss what it sent meanwhile.
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
                logger.warning("no master listens at %s yet; waiting for one", given)
            warned = True
            gevent.sleep(NO_MASTER_RETRY_S)

    def _connect(self) -> zmqrpc.Client:
        host, port = self._address
        client = Client(f"[{host}]" if ":" in host else host, port, self._identity)
        listen = vital("inbox", self._listen, lambda: client.socket.closed, self._farewell)
        gevent.spawn(listen, client)
        return client

    def _listen(self, client: zmqrpc.Client) -> None:
        """Take in what comes at once, however long a message before takes to be carried out."""
        while True:
            try:
                frames = client.socket.recv_multipart()
            except zmq.ZMQError as error:
                if client.socket.closed:
                    return
                logger.error("nothing can be received from %s: %s", self.leader, error)
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
                    "refuses %s, whose epoch %d is over since %d", self.leader, epoch, self.epoch
                )
            self._refused = epoch
            return
        if message.type == FAREWELL:
            logger.info("the leader at %s hands over", self.leader)
            self._failure_detector.note_farewell()
            return
        if epoch > self.epoch:
            logger.info("obeys the leader at %s, epoch %d", self.leader, epoch)
        self.epoch = epoch
        self._heard = True
        self._failure_detector.note_message()
        self._inbox.put((epoch, message))


def read(frames: list[bytes]) -> tuple[Message, int]:
    """Return a message of a master, and the epoch that it says; raises Unreadable."""
    if len(frames) != 1:
        raise Unreadable(Cause.FRAMES, f"it has {len(frames)} frames, not 1")
    message, epoch = parse(frames[0])
    judge(message, TO_WORKER)
    return message, epoch


def close_client(client: zmqrpc.Client) -> None:
    """End a connection with all that is its own; what nobody took yet is dropped."""
    context = client.socket.context
    client.close(linger=0)
    context.term()
