"""A hiccup of a worker does not become a burst at the target."""

from __future__ import annotations

from locust_fleet.users.arrival.pace import Pace


def begun(intended: list[float], held_up: tuple[float, float]) -> list[float]:
    """Return when arrivals begin in a process that does nothing between two times."""
    pace, times = Pace(), []
    for each in intended:
        now = each + pace.behind_s
        if held_up[0] <= now < held_up[1]:
            now = held_up[1]
        pace.release(each, now)
        times.append(now)
    return times


def most_in(times: list[float], window_s: float) -> int:
    return max(sum(at <= other < at + window_s for other in times) for at in times)


def test_arrivals_that_were_held_up_come_hardly_faster_than_asked() -> None:
    others = [step / 500 for step in range(1000) for _ in range(3)]
    times = begun([step / 500 for step in range(1000)], (1.0, 1.04))
    assert most_in([*others, *times], 0.1) <= 1.05 * 200


def test_what_was_lost_is_made_up_for() -> None:
    intended = [step / 500 for step in range(5000)]
    times = begun(intended, (1.0, 1.05))
    late = [at - each for at, each in zip(times, intended, strict=True)]
    assert max(late) > 0.045
    assert late[500 * 6] < 0.01


def test_an_arrival_that_is_a_little_late_puts_none_off() -> None:
    pace = Pace()
    for step in range(1000):
        pace.release(step / 100, step / 100 + 0.0015)
    assert pace.behind_s == 0.0
