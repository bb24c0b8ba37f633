"""A worker that reaches nothing but the leader has the same store, as far as it can tell."""

from __future__ import annotations

from locust.exception import RPCError
from locust.rpc import Message

from collections.abc import Callable
from typing import Any, cast

import gevent
import pytest
from gevent.pool import Group

from locust_fleet.data import remote_store
from locust_fleet.data.in_process_store import InProcessStore
from locust_fleet.data.remote_store import RemoteStore, RemoteStoreServer
from locust_fleet.data.store import (
    ClientIdentity,
    Exchange,
    Fenced,
    Handout,
    Late,
    Quarantined,
    Restarted,
    Store,
)
from locust_fleet.errors import DataError, StoreUnavailable
from locust_fleet.protocol.messages import ASK_DATA, DATA


class Wire:
    """Both runners, as far as messages between them go; what passes is packed as on the wire."""

    def __init__(self) -> None:
        self.greenlet = Group()
        self.handled: list[str] = []
        self.broken = self.deaf = False
        self._listen: Callable[..., None] | None = None
        self.stage: RemoteStore | None = None

    def register_message(self, kind: str, listen: Callable[..., None], concurrent: bool) -> None:
        assert kind == ASK_DATA
        assert concurrent
        self._listen = listen

    def handle_message(self, message: Message) -> None:
        assert self.stage is not None
        self.stage.handle(message, self._take_long)

    def _take_long(self, message: Message) -> None:
        self.handled.append(message.type)
        gevent.sleep(60)

    def send_message(self, kind: str, data: Any, client_id: str | None = None) -> None:
        if self.broken:
            raise RPCError("cut")
        message = Message.unserialize(Message(kind, data, client_id or "w1").serialize())
        if kind == DATA:
            self.handle_message(message)
        elif self._listen and not self.deaf:
            gevent.spawn(self._listen, msg=message)


class Clock:
    """Seconds that pass when they are told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def leader(clock: Clock) -> InProcessStore:
    store = InProcessStore(clock)
    store.open("r")
    return store


@pytest.fixture
def wire(leader: InProcessStore) -> Wire:
    wire = Wire()
    RemoteStoreServer(cast(Any, wire), leader).attach()
    return wire


@pytest.fixture
def store(wire: Wire) -> Store:
    far = RemoteStore()
    far.attach(cast(Any, wire))
    wire.stage = far
    return far


def join(store: Store, name: str) -> ClientIdentity:
    return ClientIdentity("r", name, store.join("r", name, name, 10_000, {"seen": 7}))


def load(store: Store, identity: ClientIdentity) -> None:
    token = store.acquire(identity, "load s", 1000)
    store.put(identity, "s", token, 0, ['"é"', "1"])
    assert store.finish(identity, "s", token)
    assert store.release("r", identity.name, "load s", token)


def test_records_are_borrowed_and_given_back(store: Store) -> None:
    identity = join(store, "a")
    assert store.exchange(identity, "s", Exchange([], [], 1, "wait", 1)).state == "unloaded"
    load(store, identity)

    assert store.exchange(identity, "s", Exchange([], [], 1, "wait", 2)).records == [("0", '"é"')]
    assert store.held(identity, "s", 3) == ["0"]
    assert store.exchange(identity, "s", Exchange([], ["0"], 0, "wait", 4)) == Handout("open", [])
    assert store.held(identity, "s", 5) == []


def test_a_question_after_a_later_one_is_refused(store: Store) -> None:
    identity = join(store, "a")
    load(store, identity)
    store.held(identity, "s", 2)
    with pytest.raises(Late):
        store.exchange(identity, "s", Exchange([], [], 1, "wait", 1))
    with pytest.raises(Late):
        store.held(identity, "s", 2)


def test_numbers_members_and_requests_are_shared(store: Store) -> None:
    identity = join(store, "a")
    store.renew(identity, "a", 10_000, 5)
    store.enter(identity, "buyers", "anna")
    assert store.count(identity, "seen", 1) == 8
    assert store.members("r", "buyers") == ["anna"]
    assert store.members("r", "active_workers") == ["a"]
    assert store.requests("r") == {"a": 5}
    store.withdraw("r", "a", "buyers", "anna")
    assert store.members("r", "buyers") == []


def test_who_has_expired_is_told_so(store: Store, clock: Clock) -> None:
    identity = join(store, "a")
    clock.now = 11
    with pytest.raises(Fenced):
        store.count(identity, "orders", 1)


def test_a_leader_that_knows_nothing_gives_nothing_at_first(
    store: Store, leader: InProcessStore
) -> None:
    leader._runs.clear()
    identity = join(store, "a")
    with pytest.raises(Quarantined):
        store.exchange(identity, "s", Exchange([], [], 1, "wait", 1))


def test_errors_keep_their_names_on_the_wire(
    store: Store, wire: Wire, leader: InProcessStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Workers and leaders of two versions talk to each other during an update.
    sent: list[str] = []
    send = wire.send_message

    def note(kind: str, data: Any, client_id: str | None = None) -> None:
        sent.extend([data["error"]] if kind == DATA else [])
        send(kind, data, client_id)

    leader._runs.clear()
    identity = join(store, "a")
    monkeypatch.setattr(wire, "send_message", note)
    with pytest.raises(Quarantined):
        store.count(identity, "orders", 1)
    with pytest.raises(Fenced):
        store.count(identity._replace(name="b"), "orders", 1)
    assert sent == ["OnHold", "Fenced"]


def test_a_store_that_started_anew_says_what_it_is_called_now(
    store: Store, leader: InProcessStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def restarted(*_: Any) -> None:
        raise Restarted("new")

    identity = join(store, "a")
    wire = Wire()
    monkeypatch.setattr(leader, "count", restarted)
    RemoteStoreServer(cast(Any, wire), leader).attach()
    far = RemoteStore()
    far.attach(cast(Any, wire))
    wire.stage = far
    with pytest.raises(Restarted) as raised:
        far.count(identity, "orders", 1)
    assert raised.value.generation == "new"


def test_a_leader_without_redis_says_so(store: Store) -> None:
    with pytest.raises(DataError, match="the list x is in Redis, which is not in use here"):
        store.read_list("x", 0, 1)


def test_a_far_worker_may_neither_begin_nor_end_a_run(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    for forbidden in (store.open, store.close):
        with pytest.raises(DataError, match="the leader cannot answer the question"):
            forbidden("r")
    assert "the question of worker w1 about shared data failed" in caplog.text


def test_a_leader_that_is_silent_is_named(
    store: Store, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_store, "LEADER_ANSWER_TIMEOUT_S", 0.05)
    wire.deaf = True
    with pytest.raises(StoreUnavailable, match="the leader does not answer"):
        store.members("r", "buyers")


def test_a_link_that_is_broken_is_named(store: Store, wire: Wire) -> None:
    wire.broken = True
    with pytest.raises(StoreUnavailable, match="the leader cannot be asked: cut"):
        store.members("r", "buyers")


def test_answers_do_not_wait_for_other_messages(store: Store, wire: Wire) -> None:
    wire.handle_message(Message("stop", None, "w1"))
    wire.handle_message(Message("quit", None, "w1"))
    assert store.members("r", "buyers") == []
    # One after the other, in their order.
    assert wire.handled == ["stop"]
    wire.greenlet.kill()
