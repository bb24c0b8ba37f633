"""Whatever befalls workers, users come back to their target and never go above it.

The master's own handling of messages, over a wire that is a list, with workers that do what
Locust's do and hang, are cut off, die, leave and come in any order.
"""

from __future__ import annotations

from locust.rpc import Message
from locust.runners import (
    STATE_INIT,
    STATE_MISSING,
    STATE_RUNNING,
    WorkerNodes,
)

from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.fuzz import examples
from tests.unit.master.dispatch.test_dispatcher import Shopper, hand_through, runner_with

from locust_fleet.master.dispatch.dispatcher import PacedDispatcher
from locust_fleet.master.dispatch.rebalancer import Rebalancer
from locust_fleet.master.dispatch.weights import Weights
from locust_fleet.master.workers.registry import WorkerRegistry
from locust_fleet.master.workers.roster import Roster
from locust_fleet.protocol.messages import HERE, RUN, WHO

LIVENESS = 5
TARGET = 30


class Worker:
    """What the master sees of a worker."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.users = self.asleep = 0
        self.hung = self.cut = self.dead = self.leaving = False
        self.inbox: list[Message] = []
        self.outbox: list[Message] = [Message("client_ready", "2.47.0", name)]

    @property
    def there(self) -> bool:
        """Whether it runs and the master hears it."""
        return not (self.hung or self.cut or self.dead or self.leaving)

    def say(self, kind: str, data: Any = None) -> None:
        self.outbox.append(Message(kind, data, self.name))

    def say_users(self) -> None:
        users = {"user_count": self.users, "user_classes_count": {"Shopper": self.users}}
        self.say("spawning_complete", users)

    def say_here(self) -> None:
        users = {"Shopper": self.users}
        state = STATE_RUNNING if self.users else STATE_INIT
        self.say(HERE, {RUN: None, "state": state, "users": users, "user_classes_count": users})

    def wake(self) -> None:
        self.hung = False
        if self.asleep > LIVENESS:
            self.users = 0
            self.say_users()
            self.say("awoke")
        self.asleep = 0

    def live(self) -> None:
        """Obey, and give a sign of life."""
        if self.dead or self.hung:
            return
        if not self.cut:
            for message in self.inbox:
                if message.type == "spawn" and not self.leaving:
                    self.users = sum(message.data["user_classes_count"].values())
                    self.say("spawning")
                    self.say_users()
                elif message.type == "give_up":
                    self.users = 0
                    self.say_users()
                    self.say("gave_up")
                elif message.type == WHO and not self.leaving:
                    self.say_here()
                elif message.type == "quit":
                    self.dead, self.users = True, 0
            self.inbox.clear()
        self.say("stats", {"user_classes_count": {"Shopper": self.users}})
        self.say("heartbeat", {"state": STATE_RUNNING, "current_cpu_usage": 1})


class Fleet:
    """A master and its workers, beat by beat."""

    def __init__(self) -> None:
        self.workers: dict[str, Worker] = {}
        self.runner = runner_with(WorkerNodes(), STATE_RUNNING)
        self.runner.server = cast(Any, self)
        self.runner.update_state = lambda _: None  # type: ignore[method-assign, assignment]
        self.runner.stop = lambda: None  # type: ignore[method-assign, assignment, misc]
        events = self.runner.environment.events
        events.worker_report.add_listener(self._count)
        registry = WorkerRegistry(
            self.runner, Roster(), lambda: None, lambda _: None, lambda _: None
        )
        registry.attach()
        self.balance = Rebalancer(self.runner, Weights("WEIGHTED", 0))
        self.balance.attach(self.runner.environment)
        hand_through(self.runner, self.balance, registry)
        self.join()
        self.join()
        self.deliver()
        self.dispatcher = PacedDispatcher(self.balance.available(), [Shopper])
        self.dispatcher.new_dispatch(target_user_count=TARGET, spawn_rate=7)
        self.runner._users_dispatcher = self.dispatcher
        for worker in self.workers.values():
            worker.live()

    def _count(self, client_id: str, data: dict[str, Any]) -> None:
        if client_id in self.runner.clients:
            self.runner.clients[client_id].user_classes_count = data["user_classes_count"]

    def send_to_client(self, message: Message) -> None:
        if message.node_id in self.workers:
            self.workers[message.node_id].inbox.append(message)

    def join(self) -> None:
        name = f"w{len(self.workers)}"
        self.workers[name] = Worker(name)

    def deliver(self) -> None:
        for worker in self.workers.values():
            if not (worker.hung or worker.cut or worker.dead):
                for message in worker.outbox:
                    self.runner.handle_message(worker.name, message)
                    self.check()
                    if worker.name in self.runner.clients:
                        self.runner.clients[worker.name].heartbeat = LIVENESS
                worker.outbox.clear()

    def miss(self) -> None:
        """Count the silent as missing (``MasterRunner.heartbeat_worker``)."""
        for client in self.runner.clients.all:
            client.heartbeat -= 1
            if client.heartbeat < 0 and client.state != STATE_MISSING:
                client.state, client.user_classes_count = STATE_MISSING, {}
                self.dispatcher.remove_worker(client)

    def beat(self) -> None:
        self.miss()
        for worker in self.workers.values():
            worker.asleep += worker.hung
            worker.live()
        self.deliver()
        self.balance.check()
        for _ in range(3):
            self.dispatcher._due = 0
            self.balance.step()
            for worker in self.workers.values():
                worker.live()
            self.deliver()

    def check(self) -> None:
        assert self.counted() <= TARGET

    def counted(self) -> int:
        """What the master counts, but users of leaving workers, which finish."""
        return sum(
            client.user_count
            for client in self.runner.clients.values()
            if not self.workers[client.id].leaving
        )

    def running(self) -> int:
        return sum(worker.users for worker in self.workers.values() if worker.there)


EVENTS = st.sampled_from(["hang", "wake", "cut", "mend", "kill", "leave", "join", "pass", "pass"])


def befall(fleet: Fleet, event: str, worker: Worker) -> None:
    match event:
        case "hang" if worker.there:
            worker.hung = True
        case "wake" if worker.hung:
            worker.wake()
        case "cut" if worker.there:
            worker.cut = True
        case "mend":
            worker.cut = False
        case "kill":
            worker.dead, worker.hung, worker.users = True, False, 0
        case "leave" if worker.there:
            worker.leaving = True
            worker.say("leaving")
        case "join":
            fleet.join()


@settings(max_examples=examples(60))
@given(st.lists(st.tuples(EVENTS, st.integers(0, 9), st.integers(1, 9)), max_size=15))
def test_users_return_to_their_target_and_never_go_above_it(
    events: list[tuple[str, int, int]],
) -> None:
    fleet = Fleet()
    for event, number, beats in events:
        befall(fleet, event, list(fleet.workers.values())[number % len(fleet.workers)])
        for _ in range(beats):
            fleet.beat()
    for worker in fleet.workers.values():
        befall(fleet, "mend", worker)
        befall(fleet, "wake", worker)
    fleet.join()
    for _ in range(60):
        fleet.beat()

    assert fleet.counted() == fleet.running() == TARGET


def test_a_worker_that_returns_after_it_was_forgotten_does_not_add_its_users() -> None:
    fleet = Fleet()
    worker = fleet.workers["w0"]
    for _ in range(10):
        fleet.beat()
    assert worker.users
    worker.cut = True
    for _ in range(60):
        fleet.beat()
    assert "w0" not in fleet.runner.clients

    worker.cut = False
    for _ in range(20):
        fleet.beat()

    assert fleet.counted() == fleet.running() == TARGET
