"""A worker that was away stops its users, and says so when they have ended."""

from locust.runners import STATE_INIT, STATE_RUNNING

import time
from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.event import Event
from gevent.pool import Group

from locust_fleet.worker import stall
from locust_fleet.worker.stall import StallDetector


class Runner:
    """What of a worker's runner starts and stops users."""

    def __init__(self, state: str) -> None:
        self.worker_state = state
        self.user_classes_count = {"Shopper": 3}
        self.greenlet = Group()
        self.spawning_greenlet: gevent.Greenlet[..., None] | None = None
        self.said: list[str] = []
        self.ended = Event()
        self.starts = 0
        self.hear: Callable[..., None] = lambda **_: None

    def register_message(self, _: str, listener: Callable[..., None]) -> None:
        self.hear = listener

    def start_worker(self, users: dict[str, int]) -> None:
        self.starts += 1
        self.ended.wait()
        self.user_classes_count = users

    def send_message(self, kind: str) -> None:
        self.said.append(kind)


def away(state: str = STATE_RUNNING, asleep_s: float = 60) -> tuple[Runner, StallDetector]:
    runner = Runner(state)
    one: Any = runner
    absent = StallDetector(one, asleep_s)
    absent.attach()
    return runner, absent


def test_a_worker_confirms_only_when_its_users_have_ended() -> None:
    runner, _ = away()

    runner.hear(msg=None)
    gevent.sleep(0.01)
    before = list(runner.said)
    runner.ended.set()
    runner.greenlet.join()

    assert (before, runner.said) == ([], ["gave_up"])
    assert runner.user_classes_count == {"Shopper": 0}


def test_a_repeated_request_does_not_stop_users_a_second_time() -> None:
    runner, _ = away()

    for _ in range(3):
        runner.hear(msg=None)
        gevent.sleep(0.01)
    runner.ended.set()
    runner.greenlet.join()

    assert (runner.starts, runner.said) == (1, ["gave_up"])


def test_a_start_of_users_that_is_under_way_ends() -> None:
    runner, _ = away()
    runner.spawning_greenlet = gevent.spawn(runner.start_worker, {"Shopper": 9})
    starting = runner.spawning_greenlet
    gevent.sleep(0)

    runner.hear(msg=None)

    assert starting.dead


def test_a_worker_without_users_confirms_at_once() -> None:
    runner, _ = away(STATE_INIT)

    runner.hear(msg=None)
    runner.greenlet.join()

    assert (runner.starts, runner.said) == (0, ["gave_up"])


def test_a_worker_that_was_asleep_notices_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stall, "POLL_INTERVAL_S", 0.01)
    runner, absent = away(asleep_s=0.2)
    runner.ended.set()
    watch = gevent.spawn(absent.watch)
    gevent.sleep(0.05)
    before = list(runner.said)

    # Nothing else runs meanwhile, as if the process had been stopped.
    until = time.monotonic() + 0.4
    while time.monotonic() < until:
        pass
    gevent.sleep(0.1)
    watch.kill()

    assert (before, runner.said) == ([], ["awoke"])
