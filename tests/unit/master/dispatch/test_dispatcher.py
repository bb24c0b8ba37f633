"""Users stay at their target however workers leave; what Locust itself does is shown beside."""

from locust import User, runners
from locust.dispatch import UsersDispatcher
from locust.env import Environment
from locust.event import Events
from locust.rpc import Message
from locust.runners import (
    STATE_INIT,
    STATE_MISSING,
    STATE_RUNNING,
    STATE_STOPPED,
    STATE_STOPPING,
    MasterRunner,
    WorkerNode,
    WorkerNodes,
)

from types import SimpleNamespace
from typing import Any, cast

import pytest
from gevent.pool import Group

from locust_fleet.master.dispatch.assignment import Share
from locust_fleet.master.dispatch.dispatcher import PacedDispatcher, users_by_class
from locust_fleet.master.dispatch.rebalancer import FORGET_AFTER_BEATS, NO_WORKER_BEATS, Rebalancer
from locust_fleet.master.dispatch.weights import Weights
from locust_fleet.master.runner import FleetMasterRunner
from locust_fleet.protocol.message_stages import Stage, chain


class Shopper(User):
    """Any user."""


class Wire:
    """Keeps what a master would send."""

    def __init__(self) -> None:
        self.sent: list[Message] = []

    def send_to_client(self, message: Message) -> None:
        self.sent.append(message)

    def users(self, worker: str) -> list[int]:
        """Return how many users a worker was told to run, one number for each message."""
        return [
            sum(message.data["user_classes_count"].values())
            for message in self.sent
            if (message.type, message.node_id) == ("spawn", worker)
        ]


def runner_with(clients: WorkerNodes, state: str) -> FleetMasterRunner:
    """A master's runner without its sockets: what arrives is handed to it, what it sends kept.

    It is Locust's own until it is given parts.
    """
    runner = FleetMasterRunner.__new__(FleetMasterRunner)
    runner._parts, runner._receive = None, runner._handle_as_locust
    runner.clients, runner.state, runner.greenlet = clients, state, Group()
    runner._users_dispatcher = None
    runner.server = cast(Any, Wire())
    runner.custom_messages, runner.worker_indexes = {}, {}
    runner.worker_index_max, runner.exceptions = 0, {}
    runner.environment = cast(
        Environment,
        SimpleNamespace(
            events=Events(), parsed_options=None, host="", stop_timeout=0, user_classes=[Shopper]
        ),
    )
    return runner


def hand_through(runner: FleetMasterRunner, *stages: Stage) -> None:
    """From now on, messages of workers pass these stages."""
    runner._receive = chain(stages, runner._handle_as_locust)


def balance_of(runner: MasterRunner) -> Rebalancer:
    return Rebalancer(runner, Weights("WEIGHTED", 0))


def dispatched_over(
    workers: list[WorkerNode], kind: type[UsersDispatcher], rate: float = 30
) -> UsersDispatcher:
    dispatcher = kind(worker_nodes=list(workers), user_classes=[Shopper])
    dispatcher.new_dispatch(target_user_count=30, spawn_rate=30)
    list(dispatcher)
    dispatcher.new_dispatch(target_user_count=30, spawn_rate=rate)
    return dispatcher


def three_workers() -> list[WorkerNode]:
    return [WorkerNode(f"w{number}", STATE_RUNNING) for number in range(3)]


def users_of(users: dict[str, dict[str, int]]) -> list[int]:
    return [sum(classes.values()) for classes in users.values()]


def test_locusts_own_dispatcher_stays_in_progress_after_a_worker_leaves() -> None:
    workers = three_workers()
    dispatcher = dispatched_over(workers, UsersDispatcher)

    dispatcher.remove_worker(workers[0])
    dispatcher.new_dispatch(target_user_count=30, spawn_rate=30)
    list(dispatcher)

    assert dispatcher.dispatch_in_progress


def test_users_of_two_workers_that_leave_in_turn_are_all_replaced() -> None:
    workers = three_workers()
    dispatcher = dispatched_over(workers, PacedDispatcher)

    dispatcher.remove_worker(workers[0])
    list(dispatcher)
    dispatcher.remove_worker(workers[1])
    *_, last = dispatcher

    assert users_of(last) == [30]


def test_locusts_own_dispatcher_starts_a_lost_workers_users_in_one_burst() -> None:
    workers = three_workers()
    dispatcher = dispatched_over(workers, UsersDispatcher, rate=2)

    dispatcher.remove_worker(workers[0])
    dispatcher.new_dispatch(target_user_count=30, spawn_rate=2)

    assert users_of(next(dispatcher)) == [15, 15]


def test_a_lost_workers_users_start_elsewhere_at_the_spawn_rate() -> None:
    workers = three_workers()
    dispatcher = cast(PacedDispatcher, dispatched_over(workers, PacedDispatcher, rate=2))
    dispatcher._due = 0

    dispatcher.remove_worker(workers[0])

    assert sum(users_of(next(iter(dispatcher)))) == 22


def test_a_dispatch_ends_when_another_replaces_it() -> None:
    dispatcher = dispatched_over(three_workers(), PacedDispatcher)
    dispatcher.new_dispatch(target_user_count=60, spawn_rate=1)
    first = iter(dispatcher)
    next(first)

    dispatcher.new_dispatch(target_user_count=30, spawn_rate=30)

    assert next(first, None) is None


def test_locust_starts_no_dispatch_where_it_reads_messages() -> None:
    dispatcher = dispatched_over(three_workers(), PacedDispatcher)

    assert dispatcher.dispatch_in_progress


@pytest.mark.parametrize("rate", [0.0, float("inf"), float("nan")])
def test_an_impossible_spawn_rate_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="users at"):
        dispatched_over(three_workers(), PacedDispatcher, rate)


def test_a_connected_worker_without_users_gets_users_again() -> None:
    workers = three_workers()
    dispatcher = cast(PacedDispatcher, dispatched_over(workers, PacedDispatcher))
    dispatcher.remove_worker(workers[0])
    list(dispatcher)

    dispatcher.follow(workers)
    while not dispatcher.plan.settled:
        dispatcher._due = 0
        dispatcher.step()
        for worker in workers:
            worker.user_classes_count = dispatcher.users()[worker.id]

    assert users_of(dispatcher.users()) == [10, 10, 10]


def attached(
    runner: FleetMasterRunner, workers: list[WorkerNode]
) -> tuple[Rebalancer, PacedDispatcher, Wire]:
    """Attach to a runner whose three workers run ten users each."""
    balance = balance_of(runner)
    balance.attach(runner.environment)
    hand_through(runner, balance)
    dispatcher = cast(PacedDispatcher, dispatched_over(workers, PacedDispatcher))
    runner._users_dispatcher = dispatcher
    return balance, dispatcher, cast(Wire, runner.server)


def beat(worker: str) -> Message:
    return Message("heartbeat", {"state": STATE_RUNNING, "current_cpu_usage": 1}, worker)


def ran(worker: str, users: int) -> Message:
    data: dict[str, Any] = {"user_count": users, "user_classes_count": {"Shopper": users}}
    return Message("spawning_complete", data, worker)


def fleet_of(workers: list[WorkerNode]) -> WorkerNodes:
    clients = WorkerNodes()
    for worker in workers:
        clients[worker.id] = worker
        worker.user_classes_count = {"Shopper": 10}
    return clients


def test_locust_counts_the_users_of_a_returned_worker_beside_those_that_replaced_them() -> None:
    workers = three_workers()
    runner = runner_with(fleet_of(workers), STATE_RUNNING)
    workers[0].state, workers[0].user_classes_count = STATE_MISSING, {}

    runner.handle_message("w0", ran("w0", 10))

    assert (runner.user_count, cast(Wire, runner.server).sent) == (30, [])


def test_a_returned_worker_stops_its_users_and_then_gets_others() -> None:
    workers = three_workers()
    runner = runner_with(fleet_of(workers), STATE_RUNNING)
    balance, dispatcher, wire = attached(runner, workers)
    workers[0].state, workers[0].user_classes_count = STATE_MISSING, {}
    dispatcher.remove_worker(workers[0])

    runner.handle_message("w0", beat("w0"))
    assert "give_up" in [message.type for message in wire.sent]
    runner.handle_message("w0", ran("w0", 10))
    assert (workers[0].user_count, "w0" in dispatcher.plan.assigned) == (0, False)
    runner.handle_message("w0", Message("gave_up", None, "w0"))

    assert dispatcher.plan.assigned["w0"] == {}
    assert workers[0] in balance.available()


def test_a_worker_that_gave_up_its_users_gets_them_again_at_the_spawn_rate() -> None:
    workers = three_workers()
    runner = runner_with(fleet_of(workers), STATE_RUNNING)
    balance, dispatcher, wire = attached(runner, workers)
    dispatcher.new_dispatch(target_user_count=30, spawn_rate=4)
    dispatcher._due = 0

    runner.handle_message("w1", Message("awoke", None, "w1"))
    runner.handle_message("w1", Message("gave_up", None, "w1"))
    balance.step()

    assert wire.users("w1") == [4]


def test_a_workers_announced_capacity_decides_its_share() -> None:
    weights = Weights("WEIGHTED", max_users=50)
    weights.note_capacity("big", {"weight": 4, "max_users": 0})
    weights.note_capacity("small", {"weight": 0.5, "max_users": 20})

    assert weights.share_of("big") == Share(4, 50)
    assert weights.share_of("small") == Share(0.5, 20)


def test_a_worker_without_an_announcement_has_the_mean_weight() -> None:
    weights = Weights("WEIGHTED", max_users=50)
    first = weights.share_of("silent")
    weights.note_capacity("big", {"weight": 4, "max_users": 0})
    weights.note_capacity("small", {"weight": 2, "max_users": 20})

    assert (first, weights.share_of("silent")) == (Share(1, 50), Share(3, 50))


def test_round_robin_is_even_and_keeps_limits() -> None:
    weights = Weights("ROUND_ROBIN", max_users=0)
    weights.note_capacity("big", {"weight": 4, "max_users": 7})

    assert weights.share_of("big") == Share(1, 7)


def test_least_loaded_gives_fewer_users_to_workers_with_more_cpu_per_user() -> None:
    weights = Weights("LEAST_LOADED", max_users=0)

    assert weights.weigh_load({"fast": 50, "slow": 50}, {"fast": 40, "slow": 60})

    assert weights.share_of("fast").weight / weights.share_of("slow").weight == pytest.approx(1.5)


def test_with_least_loaded_a_new_worker_begins_with_the_mean_weight() -> None:
    weights = Weights("LEAST_LOADED", max_users=0)
    weights.weigh_load({"fast": 50, "slow": 50}, {"fast": 40, "slow": 60})

    assert weights.share_of("new").weight == 1
    assert weights.share_of("slow").weight < 1 < weights.share_of("fast").weight < 2


def test_least_loaded_keeps_the_weights_of_workers_with_similar_cpu() -> None:
    weights = Weights("LEAST_LOADED", max_users=0)

    assert not weights.weigh_load({"a": 50, "b": 50}, {"a": 48, "b": 52})


def test_a_worker_lost_for_long_is_forgotten_before_locust_would_ramp_up_again() -> None:
    clients = WorkerNodes()
    for name, state, heartbeat in (
        ("well", "running", 3),
        ("just missing", STATE_MISSING, -1),
        ("lost", STATE_MISSING, FORGET_AFTER_BEATS),
    ):
        clients[name] = WorkerNode(name, state, heartbeat)

    balance_of(runner_with(clients, STATE_RUNNING)).check()

    assert list(clients) == ["well", "just missing"]


def test_without_a_run_a_missing_worker_is_forgotten_at_once() -> None:
    clients = WorkerNodes()
    clients["well"] = WorkerNode("well", STATE_INIT, 3)
    clients["just missing"] = WorkerNode("just missing", STATE_MISSING, -1)
    runner = runner_with(clients, STATE_STOPPED)

    balance_of(runner).check()

    assert list(clients) == ["well"]


def test_a_worker_may_come_back_with_its_reports_while_its_run_stops() -> None:
    clients = WorkerNodes()
    clients["just missing"] = WorkerNode("just missing", STATE_MISSING, -1)
    runner = runner_with(clients, STATE_STOPPING)

    balance_of(runner).check()

    assert list(clients) == ["just missing"]


def test_a_worker_that_locust_itself_forgets_takes_all_users_down_first() -> None:
    # ``MasterRunner.heartbeat_worker`` starts a new dispatcher for it.
    dispatcher = UsersDispatcher(worker_nodes=three_workers(), user_classes=[Shopper])
    dispatcher.new_dispatch(target_user_count=30, spawn_rate=2)

    assert sum(users_of(next(dispatcher))) == 2


def test_a_worker_that_is_forgotten_here_changes_nothing_for_the_others() -> None:
    workers = three_workers()
    runner = runner_with(fleet_of(workers), STATE_RUNNING)
    balance, dispatcher, wire = attached(runner, workers)
    runner.clients["lost"] = WorkerNode("lost", STATE_MISSING, FORGET_AFTER_BEATS)

    balance.check()
    balance.step()

    assert "lost" not in runner.clients
    assert runner._users_dispatcher is dispatcher
    assert (users_of(dispatcher.users()), wire.sent) == ([10, 10, 10], [])


def test_a_run_without_any_worker_waits_for_one_before_it_ends() -> None:
    runner = runner_with(WorkerNodes(), STATE_RUNNING)
    stops: list[int] = []
    runner.stop = lambda: stops.append(1)  # type: ignore[method-assign, assignment, misc]
    balance = balance_of(runner)

    for _ in range(NO_WORKER_BEATS):
        balance.check()
    before = len(stops)
    balance.check()

    assert (before, len(stops)) == (0, 1)


def test_a_ramp_up_waits_while_all_workers_are_returning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    workers = WorkerNodes()
    workers["a_1"] = WorkerNode("a_1", STATE_RUNNING)
    runner = runner_with(workers, STATE_RUNNING)
    balance = balance_of(runner)
    balance.attach(runner.environment)
    monkeypatch.setattr(runners, "_aggregate_dispatched_users", users_by_class)
    balance._returning.add("a_1")
    runner.update_state = lambda _: None  # type: ignore[method-assign, assignment]

    MasterRunner.start(runner, 10, 10)

    assert runner.target_user_classes_count == {}


def test_users_that_are_taken_over_stay_in_place_and_the_ramp_up_continues() -> None:
    workers = [WorkerNode("a_1"), WorkerNode("b_2")]
    dispatcher = PacedDispatcher(worker_nodes=list(workers), user_classes=[Shopper])

    dispatcher.adopt({"a_1": {"Shopper": 5}, "b_2": {"Shopper": 4}}, 12, spawn_rate=100)

    assert list(dispatcher)[-1] == {"a_1": {"Shopper": 6}, "b_2": {"Shopper": 6}}


def test_users_that_were_taken_over_are_taken_away_evenly() -> None:
    workers = [WorkerNode("a_1"), WorkerNode("b_2")]
    dispatcher = PacedDispatcher(worker_nodes=list(workers), user_classes=[Shopper])

    dispatcher.adopt({"a_1": {"Shopper": 5}, "b_2": {"Shopper": 5}}, 4, spawn_rate=100)

    assert list(dispatcher)[-1] == {"a_1": {"Shopper": 2}, "b_2": {"Shopper": 2}}
