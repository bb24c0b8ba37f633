"""A worker's link goes to whoever leads, and carries no word of whoever did before."""

from locust import runners
from locust.rpc import Message, zmqrpc

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest

from locust_fleet.protocol.drop_counter import DropCounter
from locust_fleet.protocol.epoch import stamp
from locust_fleet.protocol.message_validation import parse
from locust_fleet.protocol.messages import FAREWELL, WHO
from locust_fleet.worker.leader_connection import LeaderConnection

ADDRESS = "127.0.0.82"
BEAT_S = 0.2


class Master:
    """What a master is on the wire."""

    def __init__(self) -> None:
        self._server = zmqrpc.Server(ADDRESS, 0)
        self.port = self._server.port

    def hear(self) -> tuple[str, int]:
        """Return the type of the next message, and the epoch that it says."""
        with gevent.Timeout(5):
            _, packed = self._server.socket.recv_multipart()
        message, epoch = parse(packed)
        return message.type, epoch

    def say(self, kind: str, epoch: int) -> None:
        self._server.send_to_client(stamp(Message(kind, None, "w1"), epoch))

    def close(self) -> None:
        context = self._server.socket.context
        self._server.close(linger=0)
        context.term()


@pytest.fixture
def masters() -> Iterator[list[Master]]:
    both = [Master(), Master()]
    yield both
    for master in both:
        master.close()


@pytest.fixture
def link(masters: list[Master], monkeypatch: pytest.MonkeyPatch) -> Iterator[LeaderConnection]:
    """A link to the first of two masters that has said that it is ready."""
    monkeypatch.setattr(runners, "HEARTBEAT_INTERVAL", BEAT_S)
    link = LeaderConnection(
        ADDRESS,
        masters[0].port,
        "w1",
        redis=None,
        drops=DropCounter(),
        farewell=lambda _: None,
    )
    link.send(Message("client_ready", None, "w1"))
    assert masters[0].hear() == ("client_ready", 0)
    yield link
    link.close()


def move_to(monkeypatch: pytest.MonkeyPatch, master: Master) -> None:
    """Let the given name stand for another master."""
    found: list[Any] = [(2, 1, 6, "", (ADDRESS, master.port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)


def wait_until(ready: Callable[[], bool]) -> None:
    with gevent.Timeout(5):
        while not ready():
            gevent.sleep(0.01)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def received(link: LeaderConnection) -> str:
    with gevent.Timeout(5):
        return str(link.recv().type)


@pytest.mark.parametrize("epoch", [0, 6])
def test_a_leader_of_a_lower_epoch_is_refused(
    link: LeaderConnection, masters: list[Master], epoch: int
) -> None:
    masters[0].say("ack", 7)
    assert received(link) == "ack"
    next_one = gevent.spawn(received, link)

    masters[0].say("stop", epoch)
    gevent.sleep(0.2)

    assert (link.epoch, next_one.ready()) == (7, False)
    masters[0].say("stop", 7)
    assert next_one.get() == "stop"


def test_waiting_messages_of_a_former_leader_are_dropped(
    link: LeaderConnection, masters: list[Master]
) -> None:
    masters[0].say("stop", 7)
    masters[0].say("ack", 8)
    wait_until(lambda: link.epoch == 8)

    assert received(link) == "ack"


def test_every_message_carries_the_highest_epoch_so_far(
    link: LeaderConnection, masters: list[Master]
) -> None:
    masters[0].say("ack", 7)
    received(link)
    masters[0].say("ack", 6)

    link.send(Message("heartbeat", None, "w1"))

    assert masters[0].hear() == ("heartbeat", 7)


def test_a_worker_leaves_a_silent_leader(
    link: LeaderConnection, masters: list[Master], monkeypatch: pytest.MonkeyPatch
) -> None:
    masters[0].say("ack", 7)
    received(link)
    move_to(monkeypatch, masters[1])

    assert received(link) == WHO
    link.send(Message("heartbeat", None, "w1"))
    assert masters[1].hear() == ("heartbeat", 7)
    assert link.leader == f"{ADDRESS}:{masters[1].port}"


def test_a_worker_leaves_a_leader_that_says_goodbye_at_once(
    link: LeaderConnection, masters: list[Master], monkeypatch: pytest.MonkeyPatch
) -> None:
    masters[0].say("ack", 7)
    received(link)
    move_to(monkeypatch, masters[1])

    masters[0].say(FAREWELL, 7)

    assert received(link) == WHO
    assert link.lost
    # Else users would stop: nobody led for that long.
    assert link.silent_s < 2 * BEAT_S


def test_a_worker_without_an_answer_introduces_itself_to_the_next_master(
    link: LeaderConnection, masters: list[Master], monkeypatch: pytest.MonkeyPatch
) -> None:
    move_to(monkeypatch, masters[1])

    assert masters[1].hear() == ("client_ready", 0)


def test_messages_of_the_previous_leader_are_not_handled_after_a_reconnect(
    link: LeaderConnection, masters: list[Master], monkeypatch: pytest.MonkeyPatch
) -> None:
    masters[0].say("stop", 7)
    move_to(monkeypatch, masters[1])
    wait_until(lambda: link.reconnects > 0)

    assert received(link) == WHO


def test_a_worker_stays_with_a_leader_that_sends_messages(
    link: LeaderConnection, masters: list[Master]
) -> None:
    for _ in range(20):
        masters[0].say("heartbeat", 7)
        gevent.sleep(BEAT_S)

    assert (link.reconnects, link.lost) == (0, False)


def test_looking_for_a_leader_for_long_leaves_nothing_open(
    link: LeaderConnection, masters: list[Master]
) -> None:
    wait_until(lambda: link.reconnects >= 1)
    before = open_files()

    wait_until(lambda: link.reconnects >= 8)

    assert abs(open_files() - before) <= 2
    assert link.lost


def test_sending_does_not_block_when_the_leader_reads_nothing(
    link: LeaderConnection, masters: list[Master]
) -> None:
    masters[0].close()

    with gevent.Timeout(5):
        for _ in range(5000):
            link.send(Message("exception", None, "w1"))
