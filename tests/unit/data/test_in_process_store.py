"""The rules of shared data, whatever happens in whatever order."""

from __future__ import annotations

import contextlib
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.fuzz import examples

from locust_fleet.data.in_process_store import InProcessStore
from locust_fleet.data.source import WhenEmpty
from locust_fleet.data.store import ClientIdentity, Exchange, Fenced, Late, Quarantined
from locust_fleet.errors import DataError

EXPIRY_S = 10.0
WORKERS = ("a", "b", "c")

# What may happen to a worker; a pause is longer than an identity lives, in which others go on.
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(WORKERS),
        st.sampled_from(
            [
                "lease",
                "return",
                "use up",
                "renew",
                "die",
                "leave",
                "time",
                "replay",
                "delay",
                "late",
            ]
        ),
        st.integers(1, 4),
    ),
    max_size=120,
)


class Worker:
    """What a worker knows: its identity, until when it is sure of it, and what it holds."""

    def __init__(self, store: InProcessStore, name: str) -> None:
        self._store = store
        self._name = name
        self._lives = 0
        self.identity = ClientIdentity("r", "", "")
        self.held: set[str] = set()
        self.until = 0.0
        self.numbers = itertools.count(1)

    def order(
        self, give: list[str], use_up: list[str], want: int, when_empty: WhenEmpty
    ) -> Exchange:
        return Exchange(give, use_up, want, when_empty, next(self.numbers))

    def join(self, now: float) -> None:
        self._lives += 1
        name = f"{self._name}:{self._lives}"
        generation = self._store.join("r", name, self._name, int(EXPIRY_S * 1000), {})
        self.identity, self.held, self.until = (
            ClientIdentity("r", name, generation),
            set(),
            now + EXPIRY_S,
        )
        self.numbers = itertools.count(1)


@settings(max_examples=examples(300))
@given(EVENTS, st.sampled_from(["wait", "recycle", "stop"]))
def test_no_record_is_ever_in_two_places(
    events: list[tuple[str, str, int]], when_empty: WhenEmpty
) -> None:
    now = [0.0]
    store = InProcessStore(lambda: now[0])
    store.open("r")
    load(store, [str(number) for number in range(5)])
    workers = {name: Worker(store, name) for name in WORKERS}
    for worker in workers.values():
        worker.join(now[0])
    delayed: list[tuple[ClientIdentity, Exchange]] = []

    for name, event, number in events:
        worker = workers[name]
        if event == "time":
            now[0] += number * EXPIRY_S / 4
            continue
        if event == "die":
            # It says nothing; another takes its place, and knows nothing of it.
            worker.join(now[0])
            continue
        back = sorted(worker.held)[:number]
        with contextlib.suppress(Fenced, Late):
            if event == "lease":
                order = worker.order([], [], number, when_empty)
                handout = store.exchange(worker.identity, "s", order)
                worker.held |= {key for key, _ in handout.records}
            elif event in ("return", "replay"):
                store.exchange(worker.identity, "s", worker.order(back, [], 0, when_empty))
                worker.held -= set(back)
                if event == "replay":
                    # The answer was lost, so it says so again.
                    store.exchange(worker.identity, "s", worker.order(back, [], 0, when_empty))
            elif event == "delay":
                # It is still on its way; meanwhile the worker asks what became of it, and again.
                delayed.append((worker.identity, worker.order(back, [], number, when_empty)))
                assert worker.held <= set(store.held(worker.identity, "s", next(worker.numbers)))
                store.exchange(worker.identity, "s", worker.order(back, [], 0, when_empty))
                worker.held -= set(back)
            elif event == "late" and delayed:
                store.exchange(delayed[0][0], "s", delayed.pop(0)[1])
            elif event == "use up":
                store.exchange(worker.identity, "s", worker.order([], back, 0, when_empty))
                worker.held -= set(back)
            elif event == "renew":
                store.renew(worker.identity, name, int(EXPIRY_S * 1000), 0)
                worker.until = now[0] + EXPIRY_S
            elif event == "leave":
                store.leave("r", worker.identity.name, name, 0)
                worker.join(now[0])
        check(store, workers, now[0])


def test_a_question_that_comes_late_changes_nothing() -> None:
    store = InProcessStore()
    store.open("r")
    load(store, ["0", "1"])
    identity = ClientIdentity("r", "a", store.join("r", "a", "a", 10**6, {}))
    store.exchange(identity, "s", Exchange([], [], 1, "wait", 1))
    delayed = Exchange(["0"], [], 1, "wait", 2)
    assert store.held(identity, "s", 3) == ["0"]
    store.exchange(identity, "s", Exchange(["0"], [], 2, "wait", 4))

    with pytest.raises(Late):
        store.exchange(identity, "s", delayed)

    assert sorted(store.held(identity, "s", 5)) == ["0", "1"]


def test_a_worker_of_a_former_run_takes_nothing_from_the_present_one() -> None:
    store = InProcessStore()
    store.open("former")
    store.open("r")
    load(store, ["0"])

    with pytest.raises(DataError, match="the run is over"):
        store.join("former", "late", "late", 10**6, {})

    identity = ClientIdentity("r", "a", store.join("r", "a", "a", 10**6, {}))
    assert store.exchange(identity, "s", Exchange([], [], 1, "wait", 1)).records == [("0", "0")]


def test_a_new_leader_learns_from_a_worker_which_run_goes_on() -> None:
    store = InProcessStore()
    identity = ClientIdentity("r", "a", store.join("r", "a", "a", 10**6, {"orders": 7}))
    with pytest.raises(Quarantined):
        store.count(identity, "orders", 1)


def test_a_worker_that_finds_none_gets_the_next_one_though_another_asks_all_the_time() -> None:
    now = [0.0]
    store = InProcessStore(lambda: now[0])
    store.open("r")
    load(store, ["0"])
    greedy, patient = (
        ClientIdentity("r", name, store.join("r", name, name, 10**6, {})) for name in "gp"
    )
    store.exchange(greedy, "s", Exchange([], [], 1, "wait", 1))
    store.exchange(patient, "s", Exchange([], [], 1, "wait", 1))

    turns = []
    for turn in range(2, 12):
        now[0] += 0.2
        turns.append(len(store.exchange(greedy, "s", Exchange(["0"], [], 1, "wait", turn)).records))
        if store.exchange(patient, "s", Exchange([], [], 1, "wait", turn)).records:
            break

    assert turns == [1, 1, 0]


def check(store: InProcessStore, workers: dict[str, Worker], now: float) -> None:
    sure = [key for worker in workers.values() if now < worker.until for key in worker.held]
    assert len(sure) == len(set(sure))
    run = store._runs["r"]
    for worker in workers.values():
        if now < worker.until:
            assert {("s", key) for key in worker.held} <= run.held.get(worker.identity.name, set())
    records = run.sources["s"]
    held = [key for records_held in run.held.values() for _, key in records_held]
    assert sorted([*records.free, *records.used, *held]) == sorted(records.texts)


def load(store: InProcessStore, texts: list[str]) -> None:
    identity = ClientIdentity("r", "loader", store.join("r", "loader", "", 1000, {}))
    token = store.acquire(identity, "load s", 1000)
    store.put(identity, "s", token, 0, texts)
    assert store.finish(identity, "s", token)
    store.leave("r", "loader", "", 0)
