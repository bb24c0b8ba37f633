"""A worker that connects anew is heard and spoken to, though its former connection is open."""

from locust.rpc import Message
from locust.rpc.zmqrpc import Client

from collections.abc import Iterator

import gevent
import pytest

from locust_fleet.election.candidate import clock_ms
from locust_fleet.election.leadership import Leadership
from locust_fleet.master.server import AHEAD_MS, FleetServer
from locust_fleet.protocol.drop_counter import DropCounter
from locust_fleet.protocol.epoch import stamp

ADDRESS = "127.0.0.82"


@pytest.fixture
def leadership() -> Leadership:
    return Leadership(None, 1, 1)


@pytest.fixture
def server(leadership: Leadership) -> Iterator[FleetServer]:
    server = FleetServer(
        ADDRESS,
        0,
        leadership=leadership,
        drops=DropCounter(),
        in_a_run=lambda: True,
    )
    yield server
    server.socket.context.destroy(linger=0)


@pytest.fixture
def clients(server: FleetServer) -> Iterator[list[Client]]:
    """Two connections of one worker, the second of which said something last."""
    clients = []
    for number in range(2):
        clients.append(Client(ADDRESS, server.port, "w1"))
        clients[-1].send(Message(f"hello {number}", None, "w1"))
        with gevent.Timeout(5):
            assert server.recv_from_client()[1].type == f"hello {number}"
    yield clients
    for client in clients:
        client.socket.context.destroy(linger=0)


def test_messages_go_to_the_last_connection_of_a_worker(
    server: FleetServer, clients: list[Client]
) -> None:
    server.send_to_client(Message("ack", None, "w1"))

    with gevent.Timeout(5):
        assert clients[1].recv().type == "ack"


def test_messages_of_a_former_connection_are_dropped(
    server: FleetServer, clients: list[Client]
) -> None:
    clients[0].send(Message("of the former", None, "w1"))
    gevent.sleep(0.2)
    clients[1].send(Message("of the last", None, "w1"))

    with gevent.Timeout(5):
        assert server.recv_from_client()[1].type == "of the last"


def test_a_forged_epoch_does_not_move_the_limit_of_epochs(
    server: FleetServer, leadership: Leadership
) -> None:
    client = Client(ADDRESS, server.port, "w1")
    # What one forged message may bring about.
    leadership.epoch = clock_ms() + AHEAD_MS
    client.send(stamp(Message("forged", None, "w1"), leadership.epoch + 1000))
    client.send(Message("of the worker", None, "w1"))

    with gevent.Timeout(5):
        assert server.recv_from_client()[1].type == "of the worker"
    client.socket.context.destroy(linger=0)
