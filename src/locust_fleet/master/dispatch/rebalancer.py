"""Keep users at their target while workers come, leave, hang and return.

Locust 2.47.0 (``MasterRunner``) stands in the way in these places:

- It starts a dispatch in the greenlet that reads the workers' messages, and until that is done
  it reads none. Here users move in a greenlet of their own.
- A worker that joins or leaves while the master waits for the reports after a ramp-up is
  marked for a rebalance that nobody starts.
- A worker that was late is taken out; when it returns, its users go on beside those that
  replaced them. Here it is told to stop them first, and takes part again when it has.
- A worker that was missing for 60 heartbeats is forgotten by starting a new dispatcher, which
  takes the users down to zero and up again.
- A ramp-up fails with StopIteration where every worker that is there is on its way out or back
  (``_aggregate_dispatched_users``).
- The run ends in the moment in which no worker is there, also when all are only late.
"""

from __future__ import annotations

from locust import User, runners
from locust.env import Environment
from locust.rpc import Message
from locust.runners import (
    STATE_MISSING,
    STATE_RUNNING,
    STATE_SPAWNING,
    STATE_STOPPING,
    MasterRunner,
    WorkerNode,
)

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, cast

import gevent

from locust_fleet.master.dispatch.dispatcher import STEP_POLL_S, PacedDispatcher, users_by_class
from locust_fleet.master.dispatch.planner import MOST_MOVED_PERCENT, Users
from locust_fleet.master.dispatch.reconciler import Reconciler
from locust_fleet.master.dispatch.weights import Weights
from locust_fleet.protocol.messages import AWOKE, CAPACITY, GAVE_UP, GIVE_UP, HERE, LEAVING
from locust_fleet.protocol.stages import Forward

# Before Locust itself does it at HEARTBEAT_DEAD_INTERNAL, with room for a delayed look.
FORGET_AFTER_BEATS = runners.HEARTBEAT_DEAD_INTERNAL // 2
# How long a run waits for a worker when there is none: a restart of all takes half of it.
NO_WORKER_BEATS = 30

logger = logging.getLogger(__name__)


class Rebalancer:
    """Moves users to the workers that are there."""

    def __init__(
        self, runner: MasterRunner, weights: Weights, reweigh_interval_s: float = 30
    ) -> None:
        self._runner = runner
        self._weights = weights
        self._reweigh_interval_s = reweigh_interval_s
        self._reweigh_at = 0.0
        self._leaving: set[str] = set()
        self._returning: set[str] = set()
        self._reconciler = Reconciler()
        self._beats_without_worker = 0

    def attach(self, environment: Environment) -> None:
        """Plan for this environment; ``watch`` and ``move`` must run as well."""
        runner = self._runner
        environment.dispatcher_class = cast(type[PacedDispatcher], self._new_dispatcher)
        runner.register_message(LEAVING, self._on_leaving)
        runner.register_message(AWOKE, self._on_awoke)
        runner.register_message(GAVE_UP, self._on_gave_up)
        runner.register_message(CAPACITY, self._on_capacity)

    @property
    def over_capacity(self) -> int:
        """Users of the run that no worker has room for."""
        dispatcher = self._dispatcher
        return dispatcher.plan.over_capacity if dispatcher else 0

    def planned(self, worker: str) -> int:
        """Return the users that a worker is to have in the end: its part of all."""
        dispatcher = self._dispatcher
        return dispatcher.plan.goals.get(worker, 0) if dispatcher else 0

    def assigned(self) -> dict[str, int]:
        """Return how many users each worker was told to run."""
        return {worker: sum(users.values()) for worker, users in self.assigned_by_class().items()}

    def assigned_by_class(self) -> Users:
        """Return how many users of which class each worker was told to run."""
        dispatcher = self._dispatcher
        return dispatcher.plan.assigned if dispatcher else {}

    def diagnostics(self) -> list[str]:
        """Return what an operator should know about the users."""
        dispatcher = self._dispatcher
        if dispatcher is None or not dispatcher.plan.over_capacity:
            return []
        plan = dispatcher.plan
        finding = (
            f"{plan.over_capacity} of {plan.target} users do not run: {len(plan.shares)} workers"
            f" may run {plan.capacity} at most. Start more workers, or raise MAX_USERS_PER_WORKER"
        )
        return [finding]

    def watch(self) -> None:
        """Look once per heartbeat, forever."""
        while True:
            gevent.sleep(runners.HEARTBEAT_INTERVAL)
            self._run_guarded(self.check)

    def move(self) -> None:
        """Move users where it is due, forever."""
        while True:
            gevent.sleep(STEP_POLL_S)
            self._run_guarded(self.step)

    def check(self) -> None:
        """Forget lost workers, see who is there, end a run that nobody carries."""
        runner = self._runner
        self._forget_lost_workers()
        available = frozenset(runner.clients)
        self._leaving &= available
        self._returning &= available
        if runner.state not in (STATE_RUNNING, STATE_SPAWNING):
            self._returning.clear()
            return
        self._beats_without_worker = 0 if runner.worker_count else self._beats_without_worker + 1
        if self._beats_without_worker > NO_WORKER_BEATS:
            logger.error("no worker came back, stopping the run")
            runner.stop()
            return
        self._follow()
        self._resend_lost_spawns()
        if self._weights.follows_load and time.monotonic() >= self._reweigh_at:
            self._reweigh_at = time.monotonic() + self._reweigh_interval_s
            self._reweigh()

    def available(self) -> list[WorkerNode]:
        """Return the workers that may have users."""
        clients = self._runner.clients
        there = clients.ready + clients.spawning + clients.running
        away = self._leaving | self._returning
        return [worker for worker in there if worker.id not in away]

    def step(self) -> None:
        """Take the next step of moving users; a ramp-up takes its own (``MasterRunner.start``)."""
        dispatcher = self._dispatcher
        if dispatcher is None or self._runner.state != STATE_RUNNING or dispatcher.plan.settled:
            return
        before = dispatcher.users()
        if dispatcher.step():
            after = dispatcher.users()
            for worker, users in after.items():
                # Sending lets others run, who may stop the run.
                if users != before[worker] and self._runner.state == STATE_RUNNING:
                    self._send_spawn(worker, users)
            self._runner.target_user_classes_count = users_by_class(after)

    @property
    def _dispatcher(self) -> PacedDispatcher | None:
        return cast(PacedDispatcher | None, self._runner._users_dispatcher)

    def _new_dispatcher(
        self, worker_nodes: list[WorkerNode], user_classes: list[type[User]]
    ) -> PacedDispatcher:
        self._reweigh_at = time.monotonic() + self._reweigh_interval_s
        return PacedDispatcher(self.available(), user_classes, self._weights.share_of)

    def _run_guarded(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception:  # a look that fails must not be the last; logged below
            logger.exception("users were not moved; trying again")

    def _send_spawn(self, worker: str, users: Mapping[str, int]) -> None:
        """Tell a worker what to run, as ``MasterRunner.start`` does."""
        environment = self._runner.environment
        options = environment.parsed_options
        data = {
            "timestamp": time.time(),
            "user_classes_count": dict(users),
            "host": environment.host,
            "stop_timeout": environment.stop_timeout,
            "parsed_options": vars(options) if options else {},
        }
        self._runner.server.send_to_client(Message("spawn", data, worker))

    def _follow(self) -> None:
        dispatcher = self._dispatcher
        if dispatcher is not None:
            dispatcher.follow(self.available())

    def _resend_lost_spawns(self) -> None:
        """Repeat what a worker seems not to have heard; a ramp-up repeats everything by itself."""
        dispatcher = self._dispatcher
        if dispatcher is None or self._runner.state != STATE_RUNNING:
            return
        users = dispatcher.users()
        available = [worker for worker in self.available() if worker.id in users]
        again = self._reconciler.check(
            {worker.id: sum(users[worker.id].values()) for worker in available},
            {worker.id: worker.user_count for worker in available},
            self._runner.environment.stop_timeout,
            time.monotonic(),
        )
        for worker in again:
            logger.info("worker %s runs not what it was told; telling it again", worker)
            self._send_spawn(worker, users[worker])

    def _reweigh(self) -> None:
        dispatcher = self._dispatcher
        if dispatcher is None or not dispatcher.plan.settled:
            return
        plan = dispatcher.plan
        users = {worker: sum(assigned.values()) for worker, assigned in plan.assigned.items()}
        cpu = {worker.id: float(worker.cpu_usage) for worker in self.available()}
        if self._weights.weigh_load(users, cpu):
            dispatcher.reweigh(max(1, plan.count * MOST_MOVED_PERCENT // 100))

    def handle(self, message: Message, forward: Forward) -> None:
        """See a worker that returns: its users stop before it takes part again."""
        node, dispatcher = message.node_id, self._dispatcher
        worker = self._runner.clients.get(node)
        missing = worker is not None and worker.state == STATE_MISSING
        # One that was missing for so long that it was forgotten.
        unknown = worker is None and message.type == HERE and bool(message.data["users"])
        if message.type == "client_ready":
            self._returning.discard(node)
            if dispatcher is not None:
                dispatcher.forget(node)
        elif (missing or unknown) and dispatcher is not None:
            self._start_return(node)
        forward(message)
        if message.type == "quit":
            self._weights.forget(node)
        # Its users are those of others now, and count with them.
        if node in self._returning and (worker := self._runner.clients.get(node)):
            worker.user_classes_count = {}
            if message.type == "heartbeat":
                self._send_give_up(node)

    def _start_return(self, node: str) -> None:
        if node not in self._returning:
            logger.info("worker %s is back; its users stop before it gets others", node)
            self._returning.add(node)
            self._follow()
            self._send_give_up(node)

    def _send_give_up(self, node: str) -> None:
        self._runner.server.send_to_client(Message(GIVE_UP, None, node))

    def note_report(self, worker: str, report: Mapping[str, Any]) -> None:
        """Take the weight of a worker from its report, which each leader gets."""
        if capacity := report.get(CAPACITY):
            self._weights.note_capacity(worker, capacity)

    def _on_capacity(self, msg: Any, **_: Any) -> None:
        self._weights.note_capacity(msg.node_id, msg.data)

    def _on_leaving(self, msg: Any, **_: Any) -> None:
        """Start a leaving worker's users elsewhere at once; it may take long to finish its own."""
        self._leaving.add(msg.node_id)
        self._follow()

    def _on_awoke(self, msg: Any, **_: Any) -> None:
        """Note that a worker was asleep, also when it was not missed."""
        if self._dispatcher is not None and msg.node_id in self._runner.clients:
            self._start_return(msg.node_id)

    def _on_gave_up(self, msg: Any, **_: Any) -> None:
        """Let a worker take part again that runs nothing any more."""
        worker = self._runner.clients.get(msg.node_id)
        if worker is not None and msg.node_id in self._returning:
            worker.user_classes_count = {}
            self._returning.discard(msg.node_id)
            self._follow()

    def _forget_lost_workers(self) -> None:
        """Drop workers that were missing for long; their users were moved when they went missing.

        Without a run they are dropped at once. While one stops they may come back with reports.
        """
        runner = self._runner
        in_a_run = runner.state in (STATE_RUNNING, STATE_SPAWNING, STATE_STOPPING)
        least_heartbeat = FORGET_AFTER_BEATS if in_a_run else 0
        lost = [
            client.id
            for client in runner.clients.values()
            if client.state == STATE_MISSING and client.heartbeat <= least_heartbeat
        ]
        for worker in lost:
            del runner.clients[worker]
            self._weights.forget(worker)
            logger.info("forgot worker %s, which was lost", worker)
        if lost:
            runner.check_stopped()
