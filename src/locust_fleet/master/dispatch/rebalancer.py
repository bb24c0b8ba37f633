"""Keep users at their target while workers join, leave, hang and return.

Locust 2.47.0 (``MasterRunner``) does not do so:

- It dispatches in the greenlet that reads the workers' messages, and reads none until it is done.
  Here a greenlet of its own moves users.
- A worker that joins or leaves while the master waits for reports after a ramp-up is marked for a
  rebalance that never starts.
- When a worker that was late returns, its users run beside those that replaced them. Here the
  master makes it stop them first, and assigns it users again once it has.
- To forget a worker that was missing for 60 heartbeats it starts a new dispatcher, which takes the
  users down to zero and up again.
- A ramp-up fails with StopIteration when every connected worker is leaving or returning
  (``_aggregate_dispatched_users``).
- The run ends as soon as no worker is connected, even if all are only late.
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

from locust_fleet.master.dispatch.assignment import MOST_MOVED_PERCENT, Users
from locust_fleet.master.dispatch.dispatcher import STEP_POLL_S, PacedDispatcher, users_by_class
from locust_fleet.master.dispatch.reconciler import Reconciler
from locust_fleet.master.dispatch.weights import Weights
from locust_fleet.protocol.message_stages import Forward
from locust_fleet.protocol.messages import AWOKE, CAPACITY, GAVE_UP, GIVE_UP, HERE, LEAVING

# Well before Locust itself forgets a worker at HEARTBEAT_DEAD_INTERNAL.
FORGET_AFTER_BEATS = runners.HEARTBEAT_DEAD_INTERNAL // 2
# Heartbeats that a run waits for a worker when it has none: restarting all takes half as long.
NO_WORKER_BEATS = 30

logger = logging.getLogger(__name__)


class Rebalancer:
    """Moves users between the workers that may have them."""

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
        """Become the dispatcher of this environment; ``watch`` and ``move`` must run as well."""
        runner = self._runner
        environment.dispatcher_class = cast(type[PacedDispatcher], self._new_dispatcher)
        runner.register_message(LEAVING, self._on_leaving)
        runner.register_message(AWOKE, self._on_awoke)
        runner.register_message(GAVE_UP, self._on_gave_up)
        runner.register_message(CAPACITY, self._on_capacity)

    @property
    def over_capacity(self) -> int:
        """Users of the run that cannot run because every worker is at its limit."""
        dispatcher = self._dispatcher
        return dispatcher.plan.over_capacity if dispatcher else 0

    def planned(self, worker: str) -> int:
        """Return how many users a worker has once the plan has settled: its share of the target."""
        dispatcher = self._dispatcher
        return dispatcher.plan.goals.get(worker, 0) if dispatcher else 0

    def assigned(self) -> dict[str, int]:
        """Return how many users each worker is assigned."""
        return {worker: sum(users.values()) for worker, users in self.assigned_by_class().items()}

    def assigned_by_class(self) -> Users:
        """Return how many users of each class every worker is assigned."""
        dispatcher = self._dispatcher
        return dispatcher.plan.assigned if dispatcher else {}

    def diagnostics(self) -> list[str]:
        """Return findings for the operator about the users, one line each."""
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
        """Check the workers once per heartbeat, forever."""
        while True:
            gevent.sleep(runners.HEARTBEAT_INTERVAL)
            self._run_guarded(self.check)

    def move(self) -> None:
        """Take each step of moving users when it is due, forever."""
        while True:
            gevent.sleep(STEP_POLL_S)
            self._run_guarded(self.step)

    def check(self) -> None:
        """Forget lost workers, plan for available ones, end a run without any for too long."""
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
            logger.error(
                "the run has had no worker for %d heartbeats; the master stops it", NO_WORKER_BEATS
            )
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
        connected = clients.ready + clients.spawning + clients.running
        unavailable = self._leaving | self._returning
        return [worker for worker in connected if worker.id not in unavailable]

    def step(self) -> None:
        """Take the next step of moving users; a ramp-up takes its own (``MasterRunner.start``)."""
        dispatcher = self._dispatcher
        if dispatcher is None or self._runner.state != STATE_RUNNING or dispatcher.plan.settled:
            return
        before = dispatcher.users()
        if dispatcher.step():
            after = dispatcher.users()
            for worker, users in after.items():
                # Sending switches to other greenlets, which may stop the run.
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
        except Exception:  # a check that fails must not be the last; logged below
            logger.exception("the master could not move users; it tries again")

    def _send_spawn(self, worker: str, users: Mapping[str, int]) -> None:
        """Send a worker its users by class, as ``MasterRunner.start`` does."""
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
        """Repeat assignments that workers seem to have missed; a ramp-up repeats all anyway."""
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
            logger.info(
                "worker %s does not run its assigned users; the master sends them again", worker
            )
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
        """Notice a worker that returns: it stops its users before it gets new ones. A stage."""
        node, dispatcher = message.node_id, self._dispatcher
        worker = self._runner.clients.get(node)
        missing = worker is not None and worker.state == STATE_MISSING
        # A worker that was missing for so long that the master forgot it.
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
        # Other workers run its users by now, so they count there.
        if node in self._returning and (worker := self._runner.clients.get(node)):
            worker.user_classes_count = {}
            if message.type == "heartbeat":
                self._send_give_up(node)

    def _start_return(self, node: str) -> None:
        if node not in self._returning:
            logger.info("worker %s is back; it stops its users before it gets new ones", node)
            self._returning.add(node)
            self._follow()
            self._send_give_up(node)

    def _send_give_up(self, node: str) -> None:
        self._runner.server.send_to_client(Message(GIVE_UP, None, node))

    def note_report(self, worker: str, report: Mapping[str, Any]) -> None:
        """Note a worker's capacity from its report, so that a new leader knows it, too."""
        if capacity := report.get(CAPACITY):
            self._weights.note_capacity(worker, capacity)

    def _on_capacity(self, msg: Any, **_: Any) -> None:
        self._weights.note_capacity(msg.node_id, msg.data)

    def _on_leaving(self, msg: Any, **_: Any) -> None:
        """Start a leaving worker's users elsewhere at once; it may take long to stop its own."""
        self._leaving.add(msg.node_id)
        self._follow()

    def _on_awoke(self, msg: Any, **_: Any) -> None:
        """Treat a worker that was asleep as one that returns, even if it was not missed."""
        if self._dispatcher is not None and msg.node_id in self._runner.clients:
            self._start_return(msg.node_id)

    def _on_gave_up(self, msg: Any, **_: Any) -> None:
        """Assign users again to a worker that has stopped all of its own."""
        worker = self._runner.clients.get(msg.node_id)
        if worker is not None and msg.node_id in self._returning:
            worker.user_classes_count = {}
            self._returning.discard(msg.node_id)
            self._follow()

    def _forget_lost_workers(self) -> None:
        """Forget workers that have been missing for long; other workers run their users already.

        Without a run they are forgotten at once. While a run stops they may return with reports.
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
            logger.info("the master forgets worker %s, which is lost", worker)
        if lost:
            runner.check_stopped()
