"""Records that users of one worker take and give back, whatever becomes of its questions."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest

from locust_fleet.data.in_process_store import InProcessStore
from locust_fleet.data.record_pool import RecordPool
from locust_fleet.data.session import ClientSession
from locust_fleet.data.source import Source
from locust_fleet.data.store import ClientIdentity, Exchange, Handout, Late
from locust_fleet.errors import DataError, StoreUnavailable


class Way(InProcessStore):
    """A store at the end of a way on which questions are late, or come twice."""

    def __init__(self) -> None:
        super().__init__()
        self.is_slow = self.repeats = False
        self.late: list[tuple[ClientIdentity, str, Exchange]] = []

    def exchange(self, identity: ClientIdentity, source: str, exchange: Exchange) -> Handout:
        if self.is_slow:
            self.is_slow = False
            self.late.append((identity, source, exchange))
            raise StoreUnavailable("it does not answer")
        if self.repeats:
            self.repeats = False
            super().exchange(identity, source, exchange)
        return super().exchange(identity, source, exchange)


@pytest.fixture
def store() -> Way:
    store = Way()
    store.open("r")
    return store


@pytest.fixture
def pool(store: Way, source: Source) -> Iterator[RecordPool]:
    session = worker(store, "one")
    yield session.pool(source)
    session.lost = True


def worker(store: Way, name: str) -> ClientSession:
    return ClientSession(store, "r", name, 60.0, lambda: 0, {}, set())


def test_a_question_that_comes_late_takes_nothing_away(
    store: Way, source: Source, pool: RecordPool
) -> None:
    key, _ = pool.take(2)
    store.is_slow = True
    pool.give(key, used_up=False)
    assert pool.take(5)[0] == key

    [late] = store.late
    with pytest.raises(Late):
        store.exchange(*late)

    with pytest.raises(DataError, match="no record of numbers was free"):
        worker(store, "other").pool(source).take(0.5)


def test_a_question_that_comes_twice_loses_no_record(store: Way, pool: RecordPool) -> None:
    pool.give(pool.take(2)[0], used_up=False)
    gevent.sleep(0)
    store.repeats = True
    assert pool.take(5)[1] == "0"
