"""Users stay at their target however workers leave; what Locust itself does is shown beside."""

from locust import User
from locust.dispatch import UsersDispatcher
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

from typing import cast

import pytest
from gevent.pool import Group

from locust_fleet.master.balance import ALONE_BEATS, FORGET_AFTER_BEATS, Balance
from locust_fleet.master.dispatch import SteadyDispatcher


class Shopper(User):
    """Any user."""


def runner_with(clients: WorkerNodes, state: str) -> MasterRunner:
    """A master's runner without its sockets: its states alone are looked at."""
    runner = MasterRunner.__new__(MasterRunner)
    runner.clients, runner.state, runner.greenlet = clients, state, Group()
    runner._users_dispatcher = None
    return runner


def dispatched_over(workers: list[WorkerNode], kind: type[UsersDispatcher]) -> UsersDispatcher:
    dispatcher = kind(worker_nodes=list(workers), user_classes=[Shopper])
    dispatcher.new_dispatch(target_user_count=30, spawn_rate=30)
    list(dispatcher)
    return dispatcher


def leave(dispatcher: UsersDispatcher, worker: WorkerNode) -> None:
    dispatcher.remove_worker(worker)
    dispatcher.new_dispatch(target_user_count=30, spawn_rate=30)
    list(dispatcher)


@pytest.mark.parametrize(
    ("kind", "in_progress"), [(UsersDispatcher, True), (SteadyDispatcher, False)]
)
def test_after_a_leave_only_ours_is_ready_for_the_next(
    kind: type[UsersDispatcher], in_progress: bool
) -> None:
    workers = [WorkerNode(f"w{number}") for number in range(3)]
    dispatcher = dispatched_over(workers, kind)

    leave(dispatcher, workers[0])

    assert dispatcher.dispatch_in_progress is in_progress


def test_a_rebalance_that_nobody_started_shows() -> None:
    workers = [WorkerNode(f"w{number}") for number in range(3)]
    dispatcher = cast(SteadyDispatcher, dispatched_over(workers, SteadyDispatcher))

    dispatcher.remove_worker(workers[0])

    assert dispatcher.rebalance_waits


def test_a_dispatch_that_is_done_leaves_nothing_waiting() -> None:
    workers = [WorkerNode(f"w{number}") for number in range(3)]
    dispatcher = cast(SteadyDispatcher, dispatched_over(workers, SteadyDispatcher))

    leave(dispatcher, workers[0])

    assert not dispatcher.rebalance_waits


def test_a_worker_that_is_there_but_was_taken_out_gets_users_again() -> None:
    workers = [WorkerNode(f"w{number}") for number in range(3)]
    dispatcher = cast(SteadyDispatcher, dispatched_over(workers, SteadyDispatcher))
    leave(dispatcher, workers[0])

    dispatcher.follow(workers)
    dispatcher.new_dispatch(target_user_count=30, spawn_rate=30)

    assert [sum(users.values()) for users in list(dispatcher)[-1].values()] == [10, 10, 10]


def test_a_worker_that_is_gone_loses_its_users_to_the_others() -> None:
    workers = [WorkerNode(f"w{number}") for number in range(3)]
    dispatcher = cast(SteadyDispatcher, dispatched_over(workers, SteadyDispatcher))

    dispatcher.follow(workers[1:])
    dispatcher.new_dispatch(target_user_count=30, spawn_rate=30)

    assert [sum(users.values()) for users in list(dispatcher)[-1].values()] == [15, 15]


def test_a_worker_lost_for_long_is_forgotten_before_locust_would_ramp_up_again() -> None:
    clients = WorkerNodes()
    for name, state, heartbeat in (
        ("well", "running", 3),
        ("just missing", STATE_MISSING, -1),
        ("lost", STATE_MISSING, FORGET_AFTER_BEATS),
    ):
        clients[name] = WorkerNode(name, state, heartbeat)

    Balance(runner_with(clients, STATE_RUNNING)).look()

    assert list(clients) == ["well", "just missing"]


def test_without_a_run_a_missing_worker_is_forgotten_so_that_locust_counts_as_stopped() -> None:
    clients = WorkerNodes()
    clients["well"] = WorkerNode("well", STATE_INIT, 3)
    clients["just missing"] = WorkerNode("just missing", STATE_MISSING, -1)
    runner = runner_with(clients, STATE_STOPPING)

    Balance(runner).look()

    assert (list(clients), runner.state) == (["well"], STATE_STOPPED)


def test_a_run_without_any_worker_waits_for_one_before_it_ends() -> None:
    runner = runner_with(WorkerNodes(), STATE_RUNNING)
    stops: list[int] = []
    runner.stop = lambda: stops.append(1)  # type: ignore[method-assign, assignment, misc]
    balance = Balance(runner)

    for _ in range(ALONE_BEATS):
        balance.look()
    before = len(stops)
    balance.look()

    assert (before, len(stops)) == (0, 1)


def test_users_that_are_taken_over_stay_where_they_are_and_the_ramp_up_goes_on() -> None:
    workers = [WorkerNode("a_1"), WorkerNode("b_2")]
    dispatcher = SteadyDispatcher(worker_nodes=list(workers), user_classes=[Shopper])

    dispatcher.take_over({"a_1": {"Shopper": 5}, "b_2": {"Shopper": 4}})
    dispatcher.new_dispatch(target_user_count=12, spawn_rate=100)

    assert list(dispatcher)[-1] == {"a_1": {"Shopper": 6}, "b_2": {"Shopper": 6}}


def test_users_that_were_taken_over_are_taken_away_evenly() -> None:
    workers = [WorkerNode("a_1"), WorkerNode("b_2")]
    dispatcher = SteadyDispatcher(worker_nodes=list(workers), user_classes=[Shopper])

    dispatcher.take_over({"a_1": {"Shopper": 5}, "b_2": {"Shopper": 5}})
    dispatcher.new_dispatch(target_user_count=4, spawn_rate=100)

    assert list(dispatcher)[-1] == {"a_1": {"Shopper": 2}, "b_2": {"Shopper": 2}}
