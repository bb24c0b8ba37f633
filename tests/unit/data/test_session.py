"""An identity in a store that restarts and has lost the last changes."""

from __future__ import annotations

import gevent
import pytest

from locust_fleet.data.client import DataClient
from locust_fleet.data.counter import Counter
from locust_fleet.data.in_process_store import InProcessStore, RunData
from locust_fleet.data.lock import Lock
from locust_fleet.data.members import Members
from locust_fleet.data.record_lease import Lease
from locust_fleet.data.session import ClientSession
from locust_fleet.data.source import Source
from locust_fleet.data.store import ClientIdentity, Restarted
from locust_fleet.errors import LeaseLost, StoreUnavailable

EXPIRY_S = 60.0


class Forgetful(InProcessStore):
    """A store that can restart, as Redis does."""

    def __init__(self) -> None:
        self.now = 0.0
        self.silent = 0
        super().__init__(lambda: self.now)

    def restart(self) -> None:
        run = self._runs["r"]
        run.generation += "+"
        run.counters.clear()
        run.locks.clear()
        run.groups.clear()

    def enter(self, identity: ClientIdentity, group: str, member: str) -> None:
        if self.silent:
            self.silent -= 1
            raise StoreUnavailable("it does not answer")
        super().enter(identity, group, member)

    def _run_of(self, identity: ClientIdentity) -> RunData:
        run = super()._run_of(identity)
        if run.generation != identity.generation:
            raise Restarted(run.generation)
        return run


@pytest.fixture
def store() -> Forgetful:
    store = Forgetful()
    store.open("r")
    return store


@pytest.fixture
def client(store: Forgetful) -> DataClient:
    return worker(store, "one")


def worker(store: Forgetful, name: str) -> DataClient:
    return DataClient(store, lambda: "r", lambda: name, EXPIRY_S)


def test_a_counter_goes_on_from_what_any_worker_has_seen(
    store: Forgetful, client: DataClient
) -> None:
    Counter(client, "orders").add(5)
    store.restart()
    client.ask(ClientSession.renew)
    assert Counter(worker(store, "other"), "orders").next() == 6


def test_members_of_groups_are_in_them_again(store: Forgetful, client: DataClient) -> None:
    Members(client, "buyers").join("anna")
    store.restart()
    client.ask(ClientSession.renew)
    assert list(Members(client, "buyers")) == ["anna"]


def test_a_membership_that_was_lost_on_its_way_is_sent_again(
    store: Forgetful, client: DataClient
) -> None:
    Members(client, "buyers").join("anna")
    store.restart()
    store.silent = 1
    with pytest.raises(StoreUnavailable):
        client.ask(ClientSession.renew)
    client.ask(ClientSession.renew)
    assert list(Members(client, "buyers")) == ["anna"]


def test_users_wait_for_records_while_the_store_cannot_be_told(
    store: Forgetful, client: DataClient, source: Source
) -> None:
    Members(client, "buyers").join("anna")
    store.restart()
    store.silent = 1
    with Lease(client, source, 5) as lease:
        assert lease.value == 0


def test_records_outlive_it(store: Forgetful, client: DataClient, source: Source) -> None:
    with Lease(client, source, 5) as lease:
        store.restart()
        client.ask(ClientSession.renew)
        assert lease.value == 0


def test_a_lock_does_not_outlive_it(store: Forgetful, client: DataClient) -> None:
    lock = Lock(client, "cleanup", 30)
    lock.acquire()
    store.restart()
    client.ask(ClientSession.renew)
    with pytest.raises(LeaseLost, match="Redis has restarted"):
        lock.check()


def test_an_identity_that_was_buried_meanwhile_has_lost_what_it_held(
    store: Forgetful, client: DataClient, source: Source
) -> None:
    lease = Lease(client, source, 5)
    lease.__enter__()
    store.now += 2 * EXPIRY_S
    with Lease(worker(store, "other"), source, 5):
        store.restart()
        # The answer that it has restarted was on its way while the identity expired.
        session = client.session()
        session.reconcile(store._runs["r"].generation)
        wait_for_the_end(session)
        with pytest.raises(LeaseLost):
            lease.check()


def wait_for_the_end(session: ClientSession) -> None:
    with gevent.Timeout(5):
        while session.alive:
            gevent.sleep(0.01)
