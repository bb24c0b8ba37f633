"""Users are divided by weight within one user, up to the limits, and few of them move."""

from collections.abc import Mapping
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.bench.plan import USERS, WORKERS, ramp_up

from locust_fleet.master.dispatch.assignment import Kind, Plan, Share, apportion

ANY = [Kind("Shopper", 1)]
KINDS = [Kind("Browser", 5), Kind("Buyer", 1), Kind("Admin", 1, fixed=2)]
# Weights count in parts of 10^-9 of the largest.
ROUNDING = Fraction(1, 1000)

shares = st.dictionaries(
    st.integers(0, 40).map(lambda number: f"host{number % 3}_{number}"),
    st.builds(
        Share,
        st.integers(1, 400).map(lambda hundredths: hundredths / 100),
        st.none() | st.integers(0, 60),
    ),
    min_size=1,
    max_size=12,
)
totals = st.integers(0, 400)


def exact_parts(total: int, workers: Mapping[str, Share]) -> dict[str, Fraction]:
    """Divide by weight without rounding: who is full leaves the rest to the others."""
    parts: dict[str, Fraction] = {}
    while True:
        free = {name: share for name, share in workers.items() if name not in parts}
        left = total - sum(parts.values())
        weight = sum(Fraction(share.weight) for share in free.values())
        mine = {name: left * Fraction(share.weight) / weight for name, share in free.items()}
        full = {
            name: Fraction(share.limit)
            for name, share in free.items()
            if share.limit is not None and mine[name] > share.limit
        }
        if not full:
            return parts | mine
        parts |= full


def room(workers: Mapping[str, Share], otherwise: int) -> int:
    return sum(otherwise if share.limit is None else share.limit for share in workers.values())


def settle(plan: Plan, batch: int = 10**9) -> list[int]:
    """Advance until nothing is left to do; returns how many users ran after each step."""
    counts = []
    while plan.advance(batch):
        counts.append(plan.count)
        assert len(counts) < 10_000
    return counts


def sizes(plan: Plan) -> dict[str, int]:
    return {worker: sum(users.values()) for worker, users in plan.assigned.items()}


def settled(target: int, workers: Mapping[str, Share], kinds: list[Kind] = ANY) -> Plan:
    plan = Plan(kinds)
    plan.set_workers(workers, {})
    plan.set_target(target, kinds)
    settle(plan)
    return plan


@given(totals, shares, st.data())
def test_everyone_gets_the_exact_share_rounded_and_the_total_is_exact(
    total: int, workers: dict[str, Share], data: st.DataObject
) -> None:
    held = data.draw(st.fixed_dictionaries({name: st.integers(0, 60) for name in workers}))

    parts = apportion(total, workers, held)

    assert sum(parts.values()) == min(total, room(workers, total))
    for name, exact in exact_parts(sum(parts.values()), workers).items():
        assert abs(parts[name] - exact) < 1 + ROUNDING
        limit = workers[name].limit
        assert limit is None or parts[name] <= limit


@given(totals, shares)
def test_a_ramp_up_of_any_speed_ends_in_the_same_totals(
    total: int, workers: dict[str, Share]
) -> None:
    plan = settled(0, workers)
    plan.set_target(total, ANY)

    counts = settle(plan, batch=7)

    assert counts == sorted(counts)
    assert sizes(plan) == apportion(total, workers, sizes(plan))


@given(totals, shares, st.data())
def test_of_those_who_stay_nobody_loses_more_than_one_user_when_others_leave(
    total: int, workers: dict[str, Share], data: st.DataObject
) -> None:
    plan = settled(total, workers)
    before = sizes(plan)
    stay = data.draw(st.sets(st.sampled_from(sorted(workers)), min_size=1))

    plan.set_workers({name: workers[name] for name in stay}, {})
    settle(plan)

    assert all(size >= before[worker] - 1 for worker, size in sizes(plan).items())
    assert plan.count == min(total, room({name: workers[name] for name in stay}, total))


@given(totals, shares, shares)
def test_of_those_who_were_there_nobody_gains_more_than_one_user_when_others_join(
    total: int, workers: dict[str, Share], others: dict[str, Share]
) -> None:
    plan = settled(total, workers)
    before = sizes(plan)
    was_full = plan.over_capacity

    plan.set_workers({**others, **workers}, {})
    settle(plan)

    after = sizes(plan)
    assert was_full or all(after[worker] <= size + 1 for worker, size in before.items())


@given(totals, shares, st.data())
def test_users_never_exceed_the_target_nor_a_worker_its_limit_whatever_happens(
    total: int, workers: dict[str, Share], data: st.DataObject
) -> None:
    plan = settled(0, workers, KINDS)
    plan.set_target(total, KINDS)
    for _ in range(data.draw(st.integers(1, 8))):
        plan.advance(data.draw(st.integers(1, 50)))
        stay = data.draw(st.sets(st.sampled_from(sorted(workers))))
        plan.set_workers({name: workers[name] for name in stay}, {})

        assert plan.count <= total
        for worker, size in sizes(plan).items():
            limit = workers[worker].limit
            assert limit is None or size <= limit


@given(totals, shares, st.data())
def test_users_that_take_long_to_stop_count_until_they_have(
    total: int, workers: dict[str, Share], data: st.DataObject
) -> None:
    plan = settled(0, workers, KINDS)
    plan.set_target(total, KINDS)
    running = dict.fromkeys(workers, 0)
    for _ in range(data.draw(st.integers(1, 20))):
        stay = data.draw(st.sets(st.sampled_from(sorted(workers))))
        plan.set_workers({name: workers[name] for name in stay}, {})
        # Who went away stopped, and begins anew when it is back.
        running = {name: running.get(name, 0) for name in plan.shares}
        late = {name: running[name] - size for name, size in sizes(plan).items()}
        plan.advance(50, {name: size for name, size in late.items() if size > 0})
        slow = data.draw(st.sets(st.sampled_from(sorted(workers))))
        for name, size in sizes(plan).items():
            running[name] = max(running[name], size) if name in slow else size

        assert sum(running.values()) <= total


@given(totals, shares)
def test_classes_keep_their_weights_and_fixed_numbers(
    total: int, workers: dict[str, Share]
) -> None:
    plan = settled(total, workers, KINDS)

    running = {kind.name: 0 for kind in KINDS}
    for users in plan.assigned.values():
        for name, size in users.items():
            running[name] += size
    rest = plan.count - min(plan.count, 2)
    assert running["Admin"] == min(plan.count, 2)
    assert abs(running["Browser"] - Fraction(5 * rest, 6)) < 1 + ROUNDING


def test_weights_three_to_one_are_three_to_one() -> None:
    plan = settled(40, {"a": Share(3), "b": Share(1)})

    assert sizes(plan) == {"a": 30, "b": 10}


def test_users_over_capacity_are_counted() -> None:
    plan = settled(40, {"a": Share(1, 10), "b": Share(1, 5)})

    assert (plan.count, plan.capacity, plan.over_capacity) == (15, 15, 25)


def test_fixed_classes_alone_need_no_more_room_than_they_are() -> None:
    plan = settled(40, {"a": Share(1, 10)}, [Kind("Admin", 1, fixed=2)])

    assert (plan.count, plan.over_capacity) == (2, 0)


def test_a_moving_user_stops_before_it_starts_elsewhere() -> None:
    plan = settled(20, {"a": Share()})
    plan.set_workers({"a": Share(), "b": Share()}, {})

    counts = settle(plan, batch=1)

    assert sizes(plan) == {"a": 10, "b": 10}
    assert counts == [19, 20] * 10


def test_at_most_a_tenth_of_the_users_moves_at_a_time() -> None:
    plan = settled(100, {"a": Share()})
    plan.set_workers({"a": Share(), "b": Share()}, {})

    counts = settle(plan)

    assert counts == [90, 100] * 5


def test_nobody_starts_in_the_place_of_a_user_that_has_not_stopped() -> None:
    plan = settled(20, {"a": Share()})
    plan.set_workers({"a": Share(), "b": Share()}, {})
    plan.advance(5)

    assert not plan.advance(5, {"a": 2})
    assert plan.advance(5, {"a": 1})
    assert sizes(plan) == {"a": 18, "b": 1}


def test_a_new_weight_moves_a_bounded_number_of_users() -> None:
    plan = settled(100, {"a": Share(1), "b": Share(1)})

    plan.reweigh({"a": Share(1), "b": Share(4)}, most_moved=10)
    settle(plan)

    assert sizes(plan) == {"a": 40, "b": 60}


def test_another_choice_of_classes_replaces_users() -> None:
    plan = settled(20, {"a": Share(), "b": Share()}, [Kind("Browser", 1), Kind("Buyer", 1)])

    plan.set_target(20, [Kind("Buyer", 1)])
    settle(plan, batch=3)

    assert sum(users.get("Buyer", 0) for users in plan.assigned.values()) == plan.count == 20


@pytest.mark.parametrize("target", [0, 3, 10])
def test_a_ramp_down_keeps_the_classes(target: int) -> None:
    plan = settled(20, {"a": Share(), "b": Share(3)}, KINDS)

    plan.set_target(target, KINDS)
    counts = settle(plan, batch=4)

    assert counts == sorted(counts, reverse=True)
    assert plan.count == target
    assert sum(users.get("Admin", 0) for users in plan.assigned.values()) == min(2, target)


def test_a_worker_that_comes_with_users_keeps_them() -> None:
    plan = Plan(ANY)
    plan.set_target(10, ANY)

    plan.set_workers({"a": Share()}, {"a": {"Shopper": 10}})

    assert plan.settled


def test_a_hundred_thousand_users_on_a_thousand_workers_are_planned_within_two_seconds() -> None:
    _, seconds = ramp_up(WORKERS, USERS)

    assert seconds < 2
